import MoscIR

/// Decides which nodes of a function become one kernel.
///
/// First, behind each anchor (contraction, attention, row normalisation, gated unit), the chain of
/// elementwise ops that are the only readers of its result. Then, backwards, whatever is left joins
/// the loop nest or reduction of its readers when all of them are in one, or starts a loop nest.
/// Contractions never compute their operands; so a normalised, padded operand is a kernel of its
/// own.
struct Grouping {
  /// The most ops of a kernel.
  static let mostMembers = 40
  /// The most places at which a kernel may compute one op for one element of its result.
  static let mostPlaces = 2

  private(set) var groups: [FusionGroup] = []
  private(set) var groupOf = SideTable<NodeTag, Int?>(default: nil)
  let flow: DataFlow
  private var repeats = RepeatCount()
  private var graph: Graph { flow.graph }

  init(_ graph: Graph, isFusing: Bool, context: inout PassContext) {
    flow = DataFlow(graph)
    let computed = flow.computed
    for id in computed {
      let kind = graph[id].op.kernelKind
      if kind == .loopNest || groupOf[id] != nil { continue }
      start(kind, id)
      if isFusing { absorbConsumers(of: groups.count - 1, &context) }
    }
    for id in computed.reversed() where groupOf[id] == nil {
      if isFusing, let group = groupOfReaders(id, &context), fits(id, in: group, &context) {
        join(group, id, .producer)
      } else {
        start(.loopNest, id)
      }
    }
  }

  private mutating func start(_ kind: KernelKind, _ id: NodeID) {
    groupOf[id] = groups.count
    repeats.startRoot(id)
    groups.append(FusionGroup(kind, anchor: id))
  }

  private mutating func join(_ group: Int, _ id: NodeID, _ role: FusionGroup.Role) {
    groupOf[id] = group
    groups[group].members[id] = role
    if role == .epilogue { groups[group].root = id }
  }

  // MARK: Consumers

  private mutating func absorbConsumers(of group: Int, _ context: inout PassContext) {
    while true {
      let root = groups[group].root
      let value = graph[root].results[0]
      if flow.results.contains(value) { return }
      let uses = flow.uses[value]
      guard let user = uses.first?.user, groups[group].kind.takes(consumer: graph[user].op) else {
        return
      }
      if uses.contains(where: { $0.user != user }) {
        if graph[user].op.traits.contains(.elementwise) {
          context.remark("users", "'%\(graph[value].name)' has several readers")
        }
        return
      }
      guard groupOf[user] == nil, uses.allSatisfy({ isAligned($0, value) }) else { return }
      // A normalised row is finished as a row.
      if case .rows = groups[group].kind,
        graph.type(graph[user].results[0]).lastExtent != graph.type(value).lastExtent
      {
        return
      }
      if let summand = summand(of: group, besides: value, at: user) {
        join(group, summand, .summand)
        context.count("sums")
      }
      join(group, user, .epilogue)
      context.count("epilogue-ops")
    }
  }

  /// The contraction that is added to the anchor's result and to nothing else, if its products can be added
  /// to the same sums: it is without a bias, as the branch of an adapter is, and cut alike.
  private func summand(of group: Int, besides value: ValueID, at user: NodeID) -> NodeID? {
    let anchor = graph[groups[group].anchor]
    guard case .contraction = groups[group].kind, groups[group].root == groups[group].anchor,
      case .add = graph[user].op, let own = anchor.op.tile,
      let other = graph[user].operands.first(where: { $0 != value }), let id = graph.producer(other),
      groupOf[id] == nil, flow.uses[other].count == 1, !flow.results.contains(other)
    else { return nil }
    let node = graph[id]
    switch (anchor.op, node.op) {
    case (.linear, .linear), (.conv2d, .conv2d), (.conv2d, .linear): break
    default: return nil
    }
    func isSuited(_ weight: ValueID) -> Bool {
      if case .panel = graph.type(weight).layout { return graph.type(weight).dtype != .q8 }
      return false
    }
    guard node.operands.count == 2, node.op.tile?.cutsAlike(own) == true,
      graph.type(other).shape == graph.type(value).shape, isSuited(anchor.operands[1]),
      isSuited(node.operands[1]),
      graph.type(node.operands[1]).dtype == graph.type(anchor.operands[1]).dtype,
      graph.type(node.operands[1]).shape.dropFirst(2).allSatisfy({ $0 == 1 })
    else { return nil }
    return id
  }

  /// Whether a use reads the value element by element in the value's own order of rows and columns,
  /// so that it can be computed on a tile of the result.
  private func isAligned(_ use: DataFlow.Use, _ value: ValueID) -> Bool {
    let (node, type) = (graph[use.user], graph.type(value))
    let result = graph.type(node.results[0])
    // A function result that only renames the memory may do so as the last step.
    if node.op.isMemoryView {
      if case .reshape = node.op { return use.path.isEmpty }
      return false
    }
    guard node.op.traits.contains(.elementwise) else { return false }
    for view in use.path {
      guard case .reshape = graph[view].op,
        graph.type(graph[view].results[0]).lastExtent == type.lastExtent
      else { return false }
    }
    return graph.type(node.operands[use.operand]).shape == result.shape
      && result.count == type.count && result.lastExtent == type.lastExtent
  }

  // MARK: Producers

  /// The group that all readers of a node are in, if the node may join it.
  private func groupOfReaders(_ id: NodeID, _ context: inout PassContext) -> Int? {
    let value = graph[id].results[0]
    if flow.results.contains(value) { return nil }
    let uses = flow.uses[value]
    guard let first = uses.first, let group = groupOf[first.user] else { return nil }
    guard uses.allSatisfy({ groupOf[$0.user] == group }) else {
      context.remark("readers", "'%\(graph[value].name)' is read by several kernels")
      return nil
    }
    let op = graph[id].op
    switch groups[group].kind {
    case .loopNest:
      if op.repetition == .free { return group }
      if uses.contains(where: { isRepeated(value, by: $0.user) }) {
        context.remark("repeats", "'%\(graph[value].name)' would be computed several times")
        return nil
      }
      return group
    case .rows, .reduction:
      // Only the reduced operand may be computed on the way, in its own order.
      let isOrdered = uses.allSatisfy { use in
        let role = groups[group].members[use.user]
        let isInput = role == .producer || (role == .anchor && use.operand == 0)
        return isInput && use.path.isEmpty
          && graph.type(graph[use.user].operands[use.operand]).shape
            == graph.type(graph[groups[group].anchor].operands[0]).shape
      }
      return op.traits.contains(.elementwise) && isOrdered ? group : nil
    case .single:
      // Packing reads a matrix along either axis, and transforms filters on the way.
      guard case .pack = graph[groups[group].anchor].op, uses.allSatisfy({ $0.path.isEmpty }),
        first.user == groups[group].anchor
      else { return nil }
      switch op {
      case .transpose(let transpose) where transpose.axes == [1, 0]: return group
      case .winogradWeight: return group
      default: return nil
      }
    case .contraction, .rounded, .gated:
      return nil
    }
  }

  /// Whether the group stays small with the node: a long body, or one that computes an op at many
  /// places for one result, costs more to compile than it saves.
  private mutating func fits(
    _ id: NodeID, in group: Int, _ context: inout PassContext
  ) -> Bool {
    let count = repeats.add(id, flow)
    if count <= Self.mostPlaces && groups[group].members.count < Self.mostMembers { return true }
    repeats.startRoot(id)
    context.remark("size", "'%\(graph[graph[id].results[0]].name)' would make its kernel too large")
    return false
  }

  /// Whether a node reads elements of the value more than once.
  private func isRepeated(_ value: ValueID, by user: NodeID) -> Bool {
    switch graph[user].op {
    case .pad, .concat: false
    default: graph.type(graph[user].results[0]).count > graph.type(value).count
    }
  }
}
