/// Zeros around a tensor: `low[a]` before and `high[a]` after axis `a`.
///
/// - Errors: `pad.rank` when the lists do not have one number per axis; `pad.negative`.
/// - Gradient: `dy` without its border.
package struct Pad: MovementOp {
  package static let mnemonic = "pad"
  package static let signature = Signature([nil])
  package var low: [Int]
  package var high: [Int]

  package init(low: [Int], high: [Int]) {
    self.low = low
    self.high = high
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    low = try reader.ints("low")
    high = try reader.ints("high")
  }

  package var attributes: [LabeledAttribute] {
    [LabeledAttribute("low", .ints(low)), LabeledAttribute("high", .ints(high))]
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
    return [x.with(shape: x.shape.indices.map { low[$0] + x.shape[$0] + high[$0] })]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let x = operands[0]
    return [
      HostTensor(types[0]) { index in
        let inner = zip(index, low).map { $0 - $1 }
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
      inner = try graph.slice(inner, axis: axis, from: low[axis], to: low[axis] + shape[axis])
    }
    return .values([inner])
  }
}

extension Graph {
  /// Appends `pad`.
  package mutating func pad(
    _ x: ValueID, low: [Int], high: [Int], name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.pad(Pad(low: low, high: high)), [x], name: name)
  }
}
