/// An op that computes nothing itself: weights and constants, calls, memory, requests.
package protocol StructuralOp: TensorOp {}

extension StructuralOp {
  package static var kernelKind: KernelKind { .single }
  package static var repetition: Repetition { .dear }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: 0, codeLength: 0)
  }

  package func alignedOperands(from axis: Int, of count: Int) -> Range<Int>? { nil }
  package func acceptsQ8(_ operands: [TensorType], _ results: [TensorType]) -> Bool { false }
}
