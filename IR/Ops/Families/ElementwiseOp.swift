/// An op whose result at an index depends on the operands at that (broadcast) index only.
package protocol ElementwiseOp: TensorOp {
  /// The vector instructions of one element, about; see `OpCost`.
  static var instructions: Int { get }
}

extension ElementwiseOp {
  package static var traits: Traits { .elementwise }
  package static var instructions: Int { 1 }
  package static var kernelKind: KernelKind { .loopNest }
  package static var repetition: Repetition { .cheap }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: results[0].count, instructions: Self.instructions)
  }

  package func alignedOperands(from axis: Int, of count: Int) -> Range<Int>? { 0..<count }
  package func acceptsQ8(_ operands: [TensorType], _ results: [TensorType]) -> Bool { false }
}
