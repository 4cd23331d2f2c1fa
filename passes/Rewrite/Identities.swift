import MoscIR

/// Algebraic identities that hold to the last bit, but for the sign of zero.
enum Identities {
  /// A value that equals the op's result.
  static func replacement(
    _ op: Op, _ operands: [ValueID], _ type: TensorType, in graph: Graph
  ) -> ValueID? {
    guard let x = operands.first else { return nil }
    let isSameType = graph.type(x) == type
    switch op {
    case .add, .mul:
      let neutral = if case .add = op { 0.0 } else { 1.0 }
      for (kept, other) in [(x, operands[1]), (operands[1], x)]
      where graph.type(kept) == type && isUniform(other, neutral, in: graph) { return kept }
      return nil
    case .sub: return isSameType && isUniform(operands[1], 0, in: graph) ? x : nil
    case .div: return isSameType && isUniform(operands[1], 1, in: graph) ? x : nil
    case .reshape, .broadcast, .upsampleNearest, .slice: return isSameType ? x : nil
    case .cast:
      if isSameType { return x }
      // A round trip through a wider type.
      guard let producer = graph.producer(x), case .cast = graph[producer].op else { return nil }
      let source = graph[producer].operands[0]
      return graph.type(source) == type && graph.type(x).dtype.represents(type.dtype)
        ? source : nil
    case .transpose(let transpose):
      return transpose.axes == Array(transpose.axes.indices) ? x : nil
    case .pad(let pad): return (pad.low + pad.high).allSatisfy { $0 == 0 } ? x : nil
    case .concat: return operands.count == 1 ? x : nil
    case .neg:
      guard let producer = graph.producer(x), case .neg = graph[producer].op else { return nil }
      return graph[producer].operands[0]
    default: return nil
    }
  }

  /// An equal op that skips the producer of the first operand.
  static func shortened(
    _ op: Op, _ operands: [ValueID], _ type: TensorType, in graph: Graph
  ) -> (Op, [ValueID])? {
    guard let x = operands.first, let producer = graph.producer(x) else { return nil }
    let (inner, sources) = (graph[producer].op, graph[producer].operands)
    switch (op, inner) {
    case (.reshape, .reshape): return (op, sources)
    case (.cast, .cast):
      let isExact = graph.type(x).dtype.represents(graph.type(sources[0]).dtype)
      return isExact ? (op, sources) : nil
    case (.transpose(let outer), .transpose(let inner)):
      return (.transpose(Transpose(axes: outer.axes.map { inner.axes[$0] })), sources)
    case (.slice(let outer), .slice(let inner)) where outer.axis == inner.axis:
      let start = inner.from
      return (
        .slice(Slice(axis: outer.axis, from: start + outer.from, to: start + outer.to)), sources
      )
    case (.slice(let slice), .concat(let concat)) where slice.axis == concat.axis:
      return sliceOfConcat(slice, sources, in: graph)
    case (.pad(let outer), .pad(let inner)) where outer.wrap.isEmpty && inner.wrap.isEmpty:
      let low = zip(outer.low, inner.low).map(+)
      let high = zip(outer.high, inner.high).map(+)
      return (.pad(Pad(low: low, high: high)), sources)
    default: return nil
    }
  }

  /// A slice that lies inside one operand of a concatenation.
  private static func sliceOfConcat(
    _ slice: Slice, _ parts: [ValueID], in graph: Graph
  ) -> (Op, [ValueID])? {
    var start = 0
    for part in parts {
      let end = start + graph.type(part).shape[slice.axis]
      if start <= slice.from, slice.to <= end {
        let op = Slice(axis: slice.axis, from: slice.from - start, to: slice.to - start)
        return (.slice(op), [part])
      }
      start = end
    }
    return nil
  }

  /// Whether the value is that number everywhere, through reshapes and broadcasts.
  private static func isUniform(_ value: ValueID, _ number: Double, in graph: Graph) -> Bool {
    guard let producer = graph.producer(value) else { return false }
    switch graph[producer].op {
    case .constant(let constant): return constant.values.allSatisfy { $0 == number }
    case .reshape, .broadcast: return isUniform(graph[producer].operands[0], number, in: graph)
    default: return false
    }
  }
}
