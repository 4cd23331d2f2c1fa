import MoscIR

/// Makes packed weights anew in each step, right before they are read.
///
/// A frozen weight is read by its layer and, transposed, by the gradient of the layer's input.
/// Panels of backward passes are made from those of the forward pass first: that costs as much as
/// reading and writing a weight once. If that is not enough, panels of the forward pass are made
/// from the file, for each reader. The largest go first.
enum RecomputedPanels {
  /// The graph with panels of backward passes made anew until what is held fits the budget.
  static func apply(
    _ graph: Graph, budget: Int, _ context: inout PassContext
  ) throws(Diagnostic) -> Graph {
    var held = 0
    var readers = SideTable<ValueTag, Bool>(default: false)
    for id in graph.order {
      let isLate = graph[id].results.contains { graph[$0].rate == .step }
      for operand in graph[id].operands where isLate { readers[operand] = true }
    }
    let forward = forwardPanels(graph)
    let forwardValues = Set(forward.values)
    var candidates: [(node: NodeID, bytes: Int, isForward: Bool)] = []
    for id in graph.order {
      let node = graph[id]
      guard let value = node.results.first, graph[value].rate != .step, readers[value],
        !node.op.traits.contains(.source), !node.op.isMemoryView
      else { continue }
      let bytes = graph.type(value).byteCount()
      held += bytes
      guard case .pack = node.op else { continue }
      if forwardValues.contains(value), isStored(node.operands[0], in: graph) {
        candidates.append((id, bytes, true))
      }
      guard let weight = backwardWeight(of: node, in: graph) else { continue }
      if forward[Panels(weight, graph.type(value).dtype)] == nil {
        context.remark("panels", "no layer reads the weight of '%\(graph[value].name)' forwards")
      } else {
        candidates.append((id, bytes, false))
      }
    }
    var chosen: Set<NodeID> = []
    let order = candidates.sorted { a, b in
      a.isForward == b.isForward ? (a.bytes, b.node) > (b.bytes, a.node) : b.isForward
    }
    for candidate in order where held > budget {
      chosen.insert(candidate.node)
      held -= candidate.bytes
      context.count("bytes", by: candidate.bytes)
    }
    if held > budget {
      context.remark(
        "budget", "'@\(graph.name)' keeps \(held) bytes computed at load, the budget is \(budget)")
    }
    if chosen.isEmpty { return graph }
    context.count("repacked", by: chosen.count)
    return try rebuilt(graph, chosen, forward)
  }

  /// The graph with the chosen panels made anew before each of their readers.
  private static func rebuilt(
    _ graph: Graph, _ chosen: Set<NodeID>, _ forward: [Panels: ValueID]
  ) throws(Diagnostic) -> Graph {
    let sources = Set(forward.values)
    var copies: [ValueID: ValueID] = [:]
    /// The forward panels, made from the file again if they are not kept.
    func panels(_ value: ValueID, in new: inout Graph) throws(Diagnostic) -> ValueID? {
      guard let copy = copies[value], let producer = new.producer(copy),
        let old = graph.producer(value)
      else { return nil }
      if !chosen.contains(old) { return copy }
      return try new.emit(
        new[producer].op, new[producer].operands, name: "\(graph[value].name).again")
    }
    var result = try graph.rebuilt { (id, operands, new) throws(Diagnostic) -> [ValueID]? in
      let node = graph[id]
      if let value = node.results.first, sources.contains(value) {
        let kept = try new.emit(
          node.op, operands, name: graph[value].name, rate: graph[value].rate)
        copies[value] = kept
        return [kept]
      }
      guard node.op.tile != nil, let weight = node.operands.dropFirst().first,
        let producer = graph.producer(weight), chosen.contains(producer)
      else { return nil }
      let fresh: ValueID
      if sources.contains(weight) {
        guard let made = try panels(weight, in: &new) else { return nil }
        fresh = made
      } else {
        guard let source = backwardWeight(of: graph[producer], in: graph),
          let value = forward[Panels(source, graph.type(weight).dtype)],
          let made = try panels(value, in: &new)
        else { return nil }
        fresh = try new.emit(
          .repack(Repack(graph.type(weight))), [made], name: "\(graph[weight].name).again")
      }
      var inputs = operands
      inputs[1] = fresh
      let value = graph[node.results[0]]
      return [try new.emit(node.op, inputs, name: value.name, rate: value.rate)]
    }
    result.removeDeadNodes()
    return result
  }

  // MARK: Weights

  /// Panels of a weight in one element type.
  private struct Panels: Hashable {
    var weight: ValueID
    var dtype: DType

    init(_ weight: ValueID, _ dtype: DType) {
      self.weight = weight
      self.dtype = dtype
    }
  }

  /// The panels of each weight as its layer reads it.
  private static func forwardPanels(_ graph: Graph) -> [Panels: ValueID] {
    var result: [Panels: ValueID] = [:]
    for id in graph.order {
      guard case .pack = graph[id].op, let value = graph[id].results.first,
        graph[value].rate == .load, backwardWeight(of: graph[id], in: graph) == nil
      else { continue }
      let weight = stored(graph[id].operands[0], in: graph)
      let key = Panels(weight, graph.type(value).dtype)
      if graph.type(weight).shape == graph.type(value).shape, result[key] == nil {
        result[key] = value
      }
    }
    return result
  }

  /// The weight that a packed value is the backward form of: transposed, kernel reversed.
  private static func backwardWeight(of node: Node, in graph: Graph) -> ValueID? {
    let value = stored(node.operands[0], in: graph)
    guard let producer = graph.producer(value), case .transpose(let transpose) = graph[producer].op
    else { return nil }
    let inner = graph[producer].operands[0]
    let shape = graph.type(inner).shape
    if transpose.axes == [1, 0] { return stored(inner, in: graph) }
    guard transpose.axes == [1, 0, 2, 3] else { return nil }
    if shape[2...] == [1, 1] { return stored(inner, in: graph) }
    guard let flip = graph.producer(inner), case .reverse(let reverse) = graph[flip].op,
      reverse.axes == [2, 3]
    else { return nil }
    return stored(graph[flip].operands[0], in: graph)
  }

  /// Whether a value is a tensor of a file, or part of one.
  private static func isStored(_ value: ValueID, in graph: Graph) -> Bool {
    var value = value
    while let producer = graph.producer(value), graph[producer].op.isMemoryView {
      value = graph[producer].operands[0]
    }
    if case .param = graph.producerOp(value) { return true }
    return false
  }

  /// The value behind casts that lose nothing.
  private static func stored(_ value: ValueID, in graph: Graph) -> ValueID {
    var value = value
    while let producer = graph.producer(value), case .cast = graph[producer].op {
      let source = graph[producer].operands[0]
      guard graph.type(value).dtype.represents(graph.type(source).dtype) else { break }
      value = source
    }
    return value
  }
}
