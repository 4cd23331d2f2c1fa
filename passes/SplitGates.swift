import MoscIR

/// Computes the values and the gates of a gated unit by a linear map each.
///
/// `geglu(linear(x, W, b))` becomes `linear(x, W_v, b_v) · gelu(linear(x, W_g, b_g))` with the
/// halves of the weight. So for a sum of linear maps, which a map with a gated adapter branch is written out
/// as: its narrow side is computed once for both halves. Both activation and product then happen where sums are finished, and the
/// unit's input, twice as wide as its result, is never stored.
///
/// - Stage: tensor → tensor.  Keeps: every result within rounding.
/// - Refuses: inputs with other readers (`split-gates.shared`), inputs that no linear map makes
///   (`split-gates.input`).
/// - Order: before `choose-kernels`, which chooses a kernel for each half.
package struct SplitGates: Pass {
  package static let name = "split-gates"
  package static let stages = (from: Stage.tensor, to: Stage.tensor)
  package static let isOptional = true

  package init(_ options: inout PassOptions) {}

  package func run(_ module: inout Module, _ context: inout PassContext) throws(Diagnostic) {
    for index in module.graphs.indices where module.graphs[index].kind == .function {
      let graph = module.graphs[index]
      let users = graph.users()
      var result = try graph.rebuilt { (id, operands, new) throws(Diagnostic) -> [ValueID]? in
        guard case .geglu = graph[id].op else { return nil }
        let name = graph[graph[id].results[0]].name
        let input = graph[id].operands[0]
        guard Self.isMap(operands[0], in: new) else {
          context.remark("input", "gated unit '%\(name)' does not read a linear map")
          return nil
        }
        if users[input].count > 1 || graph.results.contains(input) {
          context.remark("shared", "the input of gated unit '%\(name)' has other readers")
          return nil
        }
        let whole = try Self.writtenOut(operands[0], in: &new)
        let width = new.type(whole).lastExtent / 2
        let value = try half(whole, 0..<width, in: &new)
        let gate = try new.gelu(try half(whole, width..<2 * width, in: &new))
        context.count("split")
        return [try new.emit(.mul(Mul()), [value, gate], name: name)]
      }
      result.inferRates()
      result.removeDeadNodes()
      module.graphs[index] = result
    }
  }

  /// Whether a value is made by a linear map, or by one with gated branches.
  private static func isMap(_ value: ValueID, in graph: Graph) -> Bool {
    guard let producer = graph.producer(value) else { return false }
    let node = graph[producer]
    switch node.op {
    case .linear(let op): return op.tile == nil
    case .lora: return node.operands.count > 5 && isMap(node.operands[0], in: graph)
    default: return false
    }
  }

  /// The value as a sum of linear maps.
  private static func writtenOut(
    _ value: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    guard let producer = graph.producer(value), case .lora(let lora) = graph[producer].op else {
      return value
    }
    var operands = graph[producer].operands
    operands[0] = try writtenOut(operands[0], in: &graph)
    return try lora.decompose(operands, in: &graph)[0]
  }

  /// The value for a range of its outputs.
  private func half(
    _ value: ValueID, _ range: Range<Int>, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    guard let producer = graph.producer(value) else {
      return try graph.slice(value, axis: graph.type(value).rank - 1, from: range.lowerBound, to: range.upperBound)
    }
    let layer = graph[producer].operands
    if case .add = graph[producer].op {
      let first = try half(layer[0], range, in: &graph)
      return try graph.add(first, try half(layer[1], range, in: &graph))
    }
    var operands = [layer[0]]
    for operand in layer.dropFirst() { operands.append(try rows(operand, range, in: &graph)) }
    return try graph.emit(graph[producer].op, operands)
  }

  /// A range of the first axis; of the file's tensor if a cast is all that is done to it, so that
  /// the cast stays next to its reader.
  private func rows(
    _ value: ValueID, _ range: Range<Int>, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let (from, to) = (range.lowerBound, range.upperBound)
    guard let producer = graph.producer(value), case .cast = graph[producer].op else {
      return try graph.slice(value, axis: 0, from: from, to: to)
    }
    let part = try graph.slice(graph[producer].operands[0], axis: 0, from: from, to: to)
    return try graph.cast(part, to: graph.type(value).dtype)
  }
}
