import MoscIR

/// Builds kernels from groups and replaces the groups by calls; kernels that are alike are shared.
struct Outliner {
  private(set) var kernels: [Graph] = []
  private(set) var callCount = 0
  private var known: [Graph: String] = [:]

  /// The function with one call per group.
  mutating func outline(_ graph: Graph, _ grouping: Grouping) -> Graph {
    var function = Graph(graph.name)
    function.resultNames = graph.resultNames
    var map = SideTable<ValueTag, ValueID?>(default: nil)
    for id in graph.parameters {
      map[id] = function.parameter(graph[id].name, graph.type(id), rate: graph[id].rate)
    }
    for id in graph.order {
      let node = graph[id]
      if node.op.traits.contains(.source), !grouping.flow.isTransparent[id] {
        let value = graph[node.results[0]]
        let source = function.appendUnchecked(
          node.op, [], types: [value.type], names: [value.name], rate: value.rate,
          location: node.location)
        map[node.results[0]] = source[0]
      }
      guard let index = grouping.groupOf[id], grouping.groups[index].root == id else { continue }
      let body = KernelBody(graph, grouping.groups[index], grouping.flow)
      let name = kernel(for: body.kernel, anchor: graph[grouping.groups[index].anchor].op)
      let results = function.appendUnchecked(
        .call(Call(name, types: node.results.map(graph.type))),
        body.inputs.compactMap { map[$0] }, types: node.results.map(graph.type),
        names: node.results.map { graph[$0].name }, location: node.location)
      callCount += 1
      for (old, new) in zip(node.results, results) {
        function[new].rate = graph[old].rate
        map[old] = new
      }
    }
    function.results = graph.results.compactMap { map[$0] }
    return function
  }

  /// The name of the kernel, which is added to the module unless one like it is there.
  private mutating func kernel(for body: Graph, anchor: Op) -> String {
    if let name = known[body] { return name }
    let name = "k\(kernels.count).\(anchor.mnemonic)"
    known[body] = name
    var kernel = body
    kernel.name = name
    kernels.append(kernel)
    return name
  }
}

/// The body of one kernel; values are numbered, parameters lettered, so that kernels compare equal.
private struct KernelBody {
  let graph: Graph
  let group: FusionGroup
  let flow: DataFlow
  private(set) var kernel = Graph("", kind: .kernel)
  /// The values of the function that the kernel takes.
  private(set) var inputs: [ValueID] = []
  private var map = SideTable<ValueTag, ValueID?>(default: nil)

  init(_ graph: Graph, _ group: FusionGroup, _ flow: DataFlow) {
    self.graph = graph
    self.group = group
    self.flow = flow
    for id in group.members.keys.sorted() {
      let node = graph[id]
      let operands = node.operands.map { value($0) }
      let results = kernel.appendUnchecked(
        node.op, operands, types: node.results.map(graph.type))
      for (old, new) in zip(node.results, results) { map[old] = new }
    }
    kernel.results = graph[group.root].results.compactMap { map[$0] }
  }

  /// The value inside the kernel: computed by it, seen through views, or a parameter.
  private mutating func value(_ outer: ValueID) -> ValueID {
    if let known = map[outer] { return known }
    let inner: ValueID
    if let producer = graph.producer(outer), flow.isTransparent[producer] {
      let operands = graph[producer].operands.map { value($0) }
      inner = kernel.appendUnchecked(
        graph[producer].op, operands, types: [graph.type(outer)])[0]
    } else {
      inner = kernel.parameter(Self.letter(inputs.count), graph.type(outer))
      inputs.append(outer)
    }
    map[outer] = inner
    return inner
  }

  /// `a`, `b`, …, `z`, `a1`, …
  private static func letter(_ index: Int) -> String {
    let (round, position) = index.quotientAndRemainder(dividingBy: 26)
    let letter = String(UnicodeScalar(UInt8(ascii: "a") + UInt8(position)))
    return round == 0 ? letter : "\(letter)\(round)"
  }
}
