import MoscIR

/// Cuts each function in one per rate: `@f.load`, `@f.prompt` and `@f.step`.
///
/// A value that a later function needs becomes a result of the function of its rate, under its own
/// name, and a parameter of the later one. Weights, constants, reshapes and slices are repeated
/// where they are used instead. Results of `@f` are results of the function of their rate. Each
/// function takes those parameters of `@f` that it needs; `@f.step` takes all step parameters.
/// Functions without work and results are left out.
///
/// - Stage: tensor → tensor.  Needs: rates.
/// - Refuses: functions that are already parts (names that end in a rate).
/// - Order: after `pack-weights`, so that packing is load work; before `fuse`.
package struct SplitRates: Pass {
  package static let name = "split-rates"
  package static let stages = (from: Stage.tensor, to: Stage.tensor)

  package init(_ options: inout PassOptions) {}

  package func run(_ module: inout Module, _ context: inout PassContext) throws(Diagnostic) {
    var graphs: [Graph] = []
    for graph in module.graphs {
      let isPart = Rate.allCases.contains { graph.name.hasSuffix(".\($0.name)") }
      if isPart || graph.kind == .kernel {
        if isPart { context.remark("part", "'@\(graph.name)' is already a part") }
        graphs.append(graph)
        continue
      }
      let splitter = Splitter(graph)
      for rate in Rate.allCases {
        guard let part = try splitter.part(rate) else { continue }
        context.count(rate.name, by: part.order.count)
        graphs.append(part)
      }
    }
    module.graphs = graphs
  }
}

/// Finds what crosses between rates and builds the parts.
private struct Splitter {
  let graph: Graph
  /// The rates at which a value's memory is read, through reshapes and slices.
  private var readers = SideTable<ValueTag, Set<Rate>>(default: [])

  init(_ source: Graph) {
    var graph = source
    graph.removeDeadNodes()
    self.graph = graph
    for id in graph.order where !graph[id].op.isFree {
      let rate = Self.rate(id, in: graph)
      for operand in graph[id].operands { readers[memory(operand)].insert(rate) }
    }
    for result in graph.results { readers[memory(result)].insert(graph[result].rate) }
  }

  private static func rate(_ id: NodeID, in graph: Graph) -> Rate {
    graph[id].results.map { graph[$0].rate }.max() ?? .step
  }

  /// The value whose memory a chain of reshapes and slices selects from.
  private func memory(_ value: ValueID) -> ValueID {
    var value = value
    while let producer = graph.producer(value), graph[producer].op.isMemoryView {
      value = graph[producer].operands[0]
    }
    return value
  }

  private func isSource(_ value: ValueID) -> Bool {
    graph.producerOp(value)?.traits.contains(.source) ?? false
  }

  /// The part of one rate, or nil when there is nothing to do.
  func part(_ rate: Rate) throws(Diagnostic) -> Graph? {
    var part = Graph("\(graph.name).\(rate.name)")
    var map = SideTable<ValueTag, ValueID?>(default: nil)
    for id in graph.parameters {
      let value = graph[id]
      guard readers[id].contains(rate) || (rate == .step && value.rate == .step) else { continue }
      map[id] = part.parameter(value.name, value.type, rate: value.rate)
    }
    let work = graph.order.filter { !graph[$0].op.isFree && Self.rate($0, in: graph) == rate }
    let computed = graph.order.filter { !graph[$0].op.isFree }.flatMap { graph[$0].results }
    for id in computed where graph[id].rate < rate && readers[id].contains(rate) {
      map[id] = part.parameter(graph[id].name, graph[id].type, rate: graph[id].rate)
    }
    for id in work {
      let node = graph[id]
      var operands: [ValueID] = []
      for operand in node.operands { operands.append(repeated(operand, &part, &map)) }
      let results = part.appendUnchecked(
        node.op, operands, types: node.results.map(graph.type),
        names: node.results.map { graph[$0].name }, location: node.location)
      for (old, new) in zip(node.results, results) {
        part[new].rate = graph[old].rate
        map[old] = new
      }
    }
    for (index, id) in graph.results.enumerated() where graph[id].rate == rate {
      part.resultNames.append(
        index < graph.resultNames.count ? graph.resultNames[index] : graph[id].name)
      part.results.append(repeated(id, &part, &map))
    }
    for id in computed where graph[id].rate == rate && readers[id].contains(where: { $0 > rate }) {
      guard let value = map[id] else { continue }
      part.resultNames.append(graph[id].name)
      part.results.append(value)
    }
    return part.results.isEmpty ? nil : part
  }

  /// The value in the part; free ops are repeated on demand.
  private func repeated(
    _ value: ValueID, _ part: inout Graph, _ map: inout SideTable<ValueTag, ValueID?>
  ) -> ValueID {
    if let known = map[value] { return known }
    guard let producer = graph.producer(value) else {
      // A parameter that only a reshape of another rate was seen to read.
      let added = part.parameter(graph[value].name, graph.type(value), rate: graph[value].rate)
      map[value] = added
      return added
    }
    let node = graph[producer]
    let operands = node.operands.map { repeated($0, &part, &map) }
    let new = part.appendUnchecked(
      node.op, operands, types: node.results.map(graph.type),
      names: node.results.map { graph[$0].name }, location: node.location)[0]
    part[new].rate = graph[value].rate
    map[value] = new
    return new
  }
}
