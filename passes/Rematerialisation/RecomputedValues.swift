import MoscIR

/// Computes cheap values again behind the point of a step where most memory is in use.
///
/// A value that is read before and after that point, and whose operands are there anyway, need not
/// be kept across it. One point after another is relieved until the step fits its budget or nothing
/// cheap lives across the fullest one. Views have the life of what they show.
struct RecomputedValues {
  /// Smaller values are kept.
  static let smallest = 1 << 14
  /// The most ops that are computed again for one value.
  static let longestChain = 6

  private var graph: Graph
  /// The value whose memory each value shows.
  private var memory = SideTable<ValueTag, ValueID?>(default: nil)
  /// Results of second computations, which stay.
  private var again: Set<ValueID> = []

  /// Recomputes values of the graph until its step fits the budget.
  static func apply(_ graph: inout Graph, budget: Int, _ context: inout PassContext) {
    var work = RecomputedValues(graph: graph)
    while true {
      let lives = work.lives()
      let (point, bytes) = work.fullest(lives)
      if bytes <= budget { break }
      let chosen = work.choose(lives, across: point, toSave: bytes - budget)
      if chosen.isEmpty {
        context.remark(
          "budget",
          "a step of '@\(graph.name)' has \(bytes) bytes in use at once, the budget is \(budget)")
        break
      }
      context.count("recomputed", by: chosen.count)
      for plan in chosen { work.recompute(plan, behind: point) }
    }
    graph = work.graph
  }

  private init(graph: Graph) {
    self.graph = graph
    for id in graph.order where graph[id].op.isMemoryView {
      memory[graph[id].results[0]] = shown(graph[id].operands[0])
    }
  }

  private func shown(_ value: ValueID) -> ValueID { memory[value] ?? value }

  // MARK: Lives

  /// When a value is in memory, in positions of the order.
  private struct Life {
    var start: Int
    /// The positions that read it, ascending.
    var reads: [Int] = []

    var end: Int { reads.last ?? start }
  }

  /// The lives of the values that the step computes.
  private func lives() -> [ValueID: Life] {
    var result: [ValueID: Life] = [:]
    for (position, id) in graph.order.enumerated() {
      let node = graph[id]
      if node.op.isMemoryView { continue }
      for operand in node.operands { result[shown(operand)]?.reads.append(position) }
      if node.op.traits.contains(.source) { continue }
      for value in node.results where graph[value].rate == .step {
        result[value] = Life(start: position)
      }
    }
    for value in graph.results { result[shown(value)]?.reads.append(graph.order.count) }
    return result
  }

  /// The first position at which most bytes are in use.
  private func fullest(_ lives: [ValueID: Life]) -> (position: Int, bytes: Int) {
    var changes = [Int](repeating: 0, count: graph.order.count + 2)
    for (value, life) in lives {
      let bytes = graph.type(value).byteCount()
      changes[life.start] += bytes
      changes[life.end + 1] -= bytes
    }
    var (bytes, best) = (0, (position: 0, bytes: 0))
    for (position, change) in changes.enumerated() {
      bytes += change
      if bytes > best.bytes { best = (position, bytes) }
    }
    return best
  }

  // MARK: Choice

  /// A value to compute again, with the values that have to be computed again on the way.
  private struct Plan {
    var value: ValueID
    var anew: Set<ValueID>
  }

  /// The largest values to compute again behind a position, enough to save the bytes; the last in
  /// the program first, so that what one plan reads a later one can still compute again.
  private func choose(
    _ lives: [ValueID: Life], across point: Int, toSave wanted: Int
  ) -> [Plan] {
    var found: [(plan: Plan, bytes: Int)] = []
    for (value, life) in lives {
      let bytes = graph.type(value).byteCount()
      guard bytes >= Self.smallest, life.start < point, !life.reads.contains(point),
        life.end < graph.order.count, !again.contains(value),
        let next = life.reads.first(where: { $0 > point })
      else { continue }
      var plan = Plan(value: value, anew: [])
      if isCheap(value, lives, at: next, &plan) { found.append((plan, bytes)) }
    }
    var saved = 0
    var chosen: [Plan] = []
    for (plan, bytes) in found.sorted(by: { ($0.bytes, $1.plan.value) > ($1.bytes, $0.plan.value) })
    where saved < wanted {
      saved += bytes
      chosen.append(plan)
    }
    return chosen.sorted { $0.value > $1.value }
  }

  /// Whether a few cheap ops compute the value from what is in memory at a position anyway.
  private func isCheap(
    _ value: ValueID, _ lives: [ValueID: Life], at position: Int, _ plan: inout Plan
  ) -> Bool {
    guard let producer = graph.producer(value), graph[producer].op.repetition != .dear else {
      return false
    }
    plan.anew.insert(value)
    if plan.anew.count > Self.longestChain { return false }
    for operand in graph[producer].operands.map(shown) where !plan.anew.contains(operand) {
      guard let life = lives[operand], life.end < position else { continue }
      if !isCheap(operand, lives, at: position, &plan) { return false }
    }
    return true
  }

  // MARK: Change

  /// Computes a value again before its first reader behind a position, for all readers there.
  private mutating func recompute(_ plan: Plan, behind point: Int) {
    var copies: [ValueID: ValueID] = [:]
    var order = Array(graph.order[...point])
    for id in graph.order[(point + 1)...] {
      for (index, operand) in graph[id].operands.enumerated()
      where shown(operand) == plan.value && !graph[id].op.isMemoryView {
        graph[id].operands[index] = copy(operand, plan, &copies, &order)
      }
      order.append(id)
    }
    graph.order = order
    graph.removeDeadNodes()
  }

  /// The second computation of a value of the plan or of a view of one; other values themselves.
  private mutating func copy(
    _ value: ValueID, _ plan: Plan, _ copies: inout [ValueID: ValueID], _ order: inout [NodeID]
  ) -> ValueID {
    if let known = copies[value] { return known }
    guard plan.anew.contains(shown(value)), let producer = graph.producer(value) else {
      return value
    }
    let node = graph[producer]
    let operands = node.operands.map { copy($0, plan, &copies, &order) }
    let made = graph.appendUnchecked(
      node.op, operands, types: node.results.map(graph.type),
      names: ["\(graph[value].name).again"], rate: graph[value].rate)[0]
    if let last = graph.order.last { order.append(last) }
    if node.op.isMemoryView { memory[made] = shown(operands[0]) } else { again.insert(made) }
    copies[value] = made
    return made
  }
}
