extension Graph {
  /// Takes nodes out of the program whose results nothing needs; returns how many.
  @discardableResult
  package mutating func removeDeadNodes() -> Int {
    var isLive = SideTable<ValueTag, Bool>(default: false)
    for id in results { isLive[id] = true }
    var kept: [NodeID] = []
    for id in order.reversed() {
      let node = self[id]
      // A node without results is kept for what it does to memory.
      guard node.results.isEmpty || node.results.contains(where: { isLive[$0] }) else { continue }
      for operand in node.operands { isLive[operand] = true }
      kept.append(id)
    }
    let removed = order.count - kept.count
    order = kept.reversed()
    return removed
  }
}
