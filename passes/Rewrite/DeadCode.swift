import MoscIR

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

extension Op {
  /// Whether the op costs nothing and may be repeated wherever its result is used: it renames
  /// memory (reshape, slice) or comes from outside (weights, constants).
  package var isFree: Bool {
    switch self {
    case .reshape, .slice, .param, .constant: true
    default: false
    }
  }

  /// Whether the op only selects memory of its operand.
  package var isMemoryView: Bool {
    switch self {
    case .reshape, .slice: true
    default: false
    }
  }
}
