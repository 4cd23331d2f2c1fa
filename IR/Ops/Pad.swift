/// A border around a tensor: `low[a]` before and `high[a]` after axis `a`, of zeros, or along the axes of
/// `wrap` of what lies at the opposite edge: `y[i] = x[(i − low) mod n]`.
///
/// - Attributes: `wrap`, ascending axes of extent n along which the tensor is a ring; no axis where it is
///   left out.
/// - Errors: `pad.rank` when the lists do not have one number per axis; `pad.negative`; `pad.wrap` for
///   axes that there are not, and for borders wider than the tensor.
/// - Gradient: `dy` without its border, to which the border of rings is added at the opposite edge.
/// - Source: `torch.nn.functional.pad`, modes `constant` and `circular`.
package struct Pad: MovementOp {
  package static let mnemonic = "pad"
  package static let signature = Signature([nil])
  package var low: [Int]
  package var high: [Int]
  package var wrap: [Int]

  package init(low: [Int], high: [Int], wrap: [Int] = []) {
    self.low = low
    self.high = high
    self.wrap = wrap
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    low = try reader.ints("low")
    high = try reader.ints("high")
    wrap = try reader.optionalInts("wrap") ?? []
  }

  package var attributes: [LabeledAttribute] {
    [LabeledAttribute("low", .ints(low)), LabeledAttribute("high", .ints(high))]
      + (wrap.isEmpty ? [] : [LabeledAttribute("wrap", .ints(wrap))])
  }

  package func alignedOperands(from axis: Int, of count: Int) -> Range<Int>? {
    (low.dropFirst(axis) + high.dropFirst(axis)).allSatisfy { $0 == 0 } ? 0..<count : nil
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let x = operands[0]
    guard low.count == x.rank, high.count == x.rank else {
      throw error("rank", "found \(low.count) and \(high.count) widths for \(x)")
    }
    guard (low + high).allSatisfy({ $0 >= 0 }) else {
      throw error("negative", "widths must not be negative: \(low), \(high)")
    }
    guard zip(wrap, wrap.dropFirst()).allSatisfy(<), wrap.allSatisfy(x.shape.indices.contains) else {
      throw error("wrap", "expected ascending axes of \(x), found \(wrap)")
    }
    if let axis = wrap.first(where: { max(low[$0], high[$0]) > x.shape[$0] }) {
      throw error(
        "wrap", "a border of \(max(low[axis], high[axis])) along axis \(axis) is wider than \(x)")
    }
    return [x.with(shape: x.shape.indices.map { low[$0] + x.shape[$0] + high[$0] })]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let x = operands[0]
    return [
      HostTensor(types[0]) { index in
        var inner = zip(index, low).map { $0 - $1 }
        for axis in wrap {
          let extent = x.type.shape[axis]
          inner[axis] = (inner[axis] + extent) % extent
        }
        let isInside = zip(inner, x.type.shape).allSatisfy { 0 <= $0 && $0 < $1 }
        return isInside ? x[inner] : 0
      }
    ]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    let shape = graph.type(site.operands[0]).shape
    var inner = site.gradient
    for axis in shape.indices where low[axis] + high[axis] > 0 {
      let (whole, end) = (inner, low[axis] + shape[axis])
      inner = try graph.slice(whole, axis: axis, from: low[axis], to: end)
      guard wrap.contains(axis) else { continue }
      // The border before the tensor copies its end, that behind it its beginning.
      for (from, to, isBefore) in [(0, low[axis], true), (end, end + high[axis], false)] where from < to {
        let border = try graph.slice(whole, axis: axis, from: from, to: to)
        var before = shape.map { _ in 0 }
        var after = before
        if isBefore {
          before[axis] = shape[axis] - (to - from)
        } else {
          after[axis] = shape[axis] - (to - from)
        }
        inner = try graph.add(inner, try graph.pad(border, low: before, high: after))
      }
    }
    return .values([inner])
  }
}

extension Graph {
  /// Appends `pad`.
  package mutating func pad(
    _ x: ValueID, low: [Int], high: [Int], wrap: [Int] = [], name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.pad(Pad(low: low, high: high, wrap: wrap)), [x], name: name)
  }
}
