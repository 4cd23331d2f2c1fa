import MoscIR

/// Where a value lies in a kernel parameter's buffer when only views stand between.
struct BufferView {
  /// The parameter.
  let parameter: ValueID
  /// Elements before the first one.
  let offset: Int
  /// Elements from one position to the next, for each of the counters asked for.
  let pitches: [Int]
}

extension PullEmitter {
  /// The place of a value in a parameter, for an index made of counters `0..<extents[i]`.
  ///
  /// - Returns: nil when the value is computed, or when its elements are not evenly spaced.
  func view(
    of value: ValueID, counting extents: [Int],
    _ index: (inout IndexSpace, [IndexExpr]) -> [IndexExpr]
  ) -> BufferView? {
    let counters = extents.map { space.variable(extent: $0) }
    var place = index(&space, counters.map { IndexExpr($0) })
    var id = value
    while let producer = graph.producer(id) {
      let node = graph[producer]
      switch node.op {
      case .reshape, .slice, .transpose: break
      default: return nil
      }
      guard let source = operandIndex(node.op, of: node, at: place) else { return nil }
      place = source
      id = node.operands[0]
    }
    let type = graph.type(id)
    guard type.layout == .dense else { return nil }
    let position = space.linear(place, in: type.shape)
    guard position.terms.allSatisfy({ counters.contains($0.variable) }) else { return nil }
    return BufferView(
      parameter: id, offset: position.constant,
      pitches: counters.map { position.coefficient(of: $0) })
  }
}
