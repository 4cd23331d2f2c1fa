import MoscIR

/// Makes packed weights of the backward pass from those of the forward pass in each step.
///
/// A frozen weight is read by its layer and, transposed, by the gradient of the layer's input.
/// Rearranging it costs as much as reading and writing it once; the largest are made anew first.
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
    var candidates: [(node: NodeID, bytes: Int)] = []
    for id in graph.order {
      let node = graph[id]
      guard let value = node.results.first, graph[value].rate != .step, readers[value],
        !node.op.traits.contains(.source), !node.op.isMemoryView
      else { continue }
      let bytes = graph.type(value).byteCount()
      held += bytes
      guard case .pack = node.op, let weight = backwardWeight(of: node, in: graph) else {
        continue
      }
      if forward[Panels(weight, graph.type(value).dtype)] == nil {
        context.remark("panels", "no layer reads the weight of '%\(graph[value].name)' forwards")
      } else {
        candidates.append((id, bytes))
      }
    }
    var chosen: Set<NodeID> = []
    for candidate in candidates.sorted(by: { ($0.bytes, $1.node) > ($1.bytes, $0.node) })
    where held > budget {
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
    var result = try graph.rebuilt { (id, operands, new) throws(Diagnostic) -> [ValueID]? in
      let node = graph[id]
      if let value = node.results.first, sources.contains(value) {
        let kept = try new.emit(
          node.op, operands, name: graph[value].name, rate: graph[value].rate)
        copies[value] = kept
        return [kept]
      }
      guard let weight = node.operands.dropFirst().first, let producer = graph.producer(weight),
        chosen.contains(producer), let source = backwardWeight(of: graph[producer], in: graph),
        let panels = forward[Panels(source, graph.type(weight).dtype)],
        let copy = copies[panels]
      else { return nil }
      let fresh = try new.emit(
        .repack(Repack(graph.type(weight))), [copy], name: "\(graph[weight].name).again")
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
        graph[value].rate == .load
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
