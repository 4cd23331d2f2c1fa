/// An op whose result at an index depends on the operands at that (broadcast) index only.
package protocol ElementwiseOp: TensorOp {
  /// The length of the code of one element; see `OpCost`.
  static var codeLength: Int { get }
}

extension ElementwiseOp {
  package static var traits: Traits { .elementwise }
  package static var codeLength: Int { 1 }
  package static var kernelKind: KernelKind { .loopNest }
  package static var repetition: Repetition { .cheap }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: results[0].count, codeLength: Self.codeLength)
  }

  package func alignedOperands(from axis: Int, of count: Int) -> Range<Int>? { 0..<count }
  package func acceptsQ8(_ operands: [TensorType], _ results: [TensorType]) -> Bool { false }
}
