import MoscIR

/// Counts at how many places a loop nest evaluates each of its ops for one element of its result.
///
/// Ops that read an operand at their own index evaluate it where they are evaluated themselves, so
/// that `x · sigmoid(x)` needs `x` once. Any other read (through a view, a transposition, a shift)
/// is at a place of its own: `x + transpose(x)` needs `x` twice, and a chain of k such ops would
/// need its first operand 2ᵏ times.
struct RepeatCount {
  private struct Read: Hashable {
    var place: Int
    var user: NodeID
    var operand: Int
  }

  private var places = SideTable<NodeTag, Set<Int>>(default: [])
  private var moved: [Read: Int] = [:]
  private var next = 0

  /// A node that starts a kernel is evaluated at one place.
  mutating func startRoot(_ id: NodeID) { places[id] = [fresh()] }

  /// The number of places for a node whose readers are all known.
  mutating func add(_ id: NodeID, _ flow: DataFlow) -> Int {
    let value = flow.graph[id].results[0]
    var found: Set<Int> = []
    for use in flow.uses[value] {
      let user = flow.graph[use.user]
      let isSameIndex =
        use.path.isEmpty && user.op.traits.contains(.elementwise)
        && flow.graph.type(value).shape == flow.graph.type(user.results[0]).shape
      for place in places[use.user] {
        found.insert(isSameIndex ? place : self.place(place, use))
      }
    }
    places[id] = found
    return found.count
  }

  private mutating func place(_ place: Int, _ use: DataFlow.Use) -> Int {
    let read = Read(place: place, user: use.user, operand: use.operand)
    if let known = moved[read] { return known }
    moved[read] = fresh()
    return next
  }

  private mutating func fresh() -> Int {
    next += 1
    return next
  }
}
