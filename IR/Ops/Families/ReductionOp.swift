/// A reduction over axes, which keep extent 1.
package protocol ReductionOp: KernelOp {
  var axes: [Int] { get }
  init(axes: [Int])
  static var identity: Double { get }
  static func combine(_ a: Double, _ b: Double) -> Double
}

extension ReductionOp {
  package static var signature: Signature { Signature([nil]) }
  package static var traits: Traits { .reduction }
  package static var kernelKind: KernelKind { .reduction }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    // A number of a row takes 0.4 of a copy; taken for less, small sums stay one task.
    let summed = axes.reduce(1) { $0 * operands[0].shape[$1] }
    return OpCost(flops: results[0].count, time: summed / 8)
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    self.init(axes: try reader.ints("axes"))
  }

  package var attributes: [LabeledAttribute] { [LabeledAttribute("axes", .ints(axes))] }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let x = operands[0]
    try expectFloat(x)
    guard !axes.isEmpty, axes == axes.sorted(), Set(axes).count == axes.count,
      axes.allSatisfy(x.shape.indices.contains)
    else { throw error("axes", "\(axes) are not ascending axes of \(x)") }
    return [x.with(shape: x.shape.indices.map { axes.contains($0) ? 1 : x.shape[$0] })]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let x = operands[0]
    var sums = [Double](repeating: Self.identity, count: types[0].count)
    let result = HostTensor(types[0], repeating: 0)
    _ = HostTensor(x.type) { index in
      let target = result.offset(index.indices.map { axes.contains($0) ? 0 : index[$0] })
      sums[target] = Self.combine(sums[target], x[index])
      return 0
    }
    return [HostTensor(types[0], sums)]
  }
}
