import MoscIR

/// Gives every value memory: calls become launches into buffers.
///
/// Results of a function become further parameters, behind the others, which launches write. Every
/// other result of a call is a subview of the function's arena; here they lie one behind the other,
/// `plan-memory` then lets them share bytes. Weights and constants stay as they are.
///
/// - Stage: kernel → buffer.
/// - Refuses: functions with reshapes or slices (`bufferise.view`) and results that no call makes
///   (`bufferise.result`); `fuse` leaves neither.
/// - Order: after `fuse`.
package struct Bufferise: Pass {
  package static let name = "bufferise"
  package static let stages = (from: Stage.kernel, to: Stage.buffer)
  /// The alignment of buffers in bytes: one cache line, one 512-bit vector.
  package static let alignment = 64

  package init(_ options: inout PassOptions) {}

  package func run(_ module: inout Module, _ context: inout PassContext) throws(Diagnostic) {
    guard module.stage == .kernel else { return }
    for index in module.graphs.indices where module.graphs[index].kind == .function {
      module.graphs[index] = try buffers(of: module.graphs[index], &context)
    }
    module.stage = .buffer
  }

  private func buffers(
    of graph: Graph, _ context: inout PassContext
  ) throws(Diagnostic) -> Graph {
    var result = Graph(graph.name)
    var map = SideTable<ValueTag, ValueID?>(default: nil)
    for id in graph.parameters {
      map[id] = result.parameter(graph[id].name, graph.type(id), rate: graph[id].rate)
    }
    for (index, id) in graph.results.enumerated() {
      guard case .call = graph.producerOp(id), map[id] == nil else {
        throw Diagnostic(
          "bufferise.result",
          "result '%\(graph[id].name)' of '@\(graph.name)' is not the result of a call of its own")
      }
      let name = index < graph.resultNames.count ? graph.resultNames[index] : graph[id].name
      map[id] = result.parameter(name, graph.type(id), rate: graph[id].rate)
    }
    let arena = makeArena(for: graph, map, &result)
    var offset = 0
    for id in graph.order {
      let node = graph[id]
      switch node.op {
      case .param, .constant:
        let value = graph[node.results[0]]
        map[node.results[0]] = result.appendUnchecked(
          node.op, [], types: [value.type], names: [value.name], rate: value.rate,
          location: node.location)[0]
      case .call(let call):
        for value in node.results where map[value] == nil {
          guard let arena else { continue }
          let view = Subview(offset: offset, type: graph.type(value))
          map[value] = result.appendUnchecked(
            .subview(view), [arena], types: [view.type], names: [graph[value].name],
            rate: graph[value].rate)[0]
          offset += view.type.alignedByteCount
          context.count("buffers")
        }
        let launch = Launch(call.name, outputCount: node.results.count)
        _ = result.appendUnchecked(
          .launch(launch), (node.operands + node.results).compactMap { map[$0] }, types: [],
          location: node.location)
        context.count("launches")
      default:
        throw Diagnostic(
          "bufferise.view",
          "'\(node.op.mnemonic)' in '@\(graph.name)' has no kernel; run 'fuse' first",
          location: node.location)
      }
    }
    return result
  }

  /// The arena, unless every call writes a result of the function.
  private func makeArena(
    for graph: Graph, _ map: SideTable<ValueTag, ValueID?>, _ result: inout Graph
  ) -> ValueID? {
    let values = graph.order.flatMap { id -> [ValueID] in
      guard case .call = graph[id].op else { return [] }
      return graph[id].results.filter { map[$0] == nil }
    }
    if values.isEmpty { return nil }
    let bytes = values.reduce(0) { $0 + graph.type($1).alignedByteCount }
    return result.appendUnchecked(
      .arena(Arena(byteCount: bytes)), [], types: [TensorType(.u8, [bytes])], names: ["arena"],
      rate: .load)[0]
  }
}

extension TensorType {
  /// The bytes of a buffer, rounded up to the alignment of buffers.
  var alignedByteCount: Int {
    let alignment = Bufferise.alignment
    return (byteCount() + alignment - 1) / alignment * alignment
  }
}
