/// An op whose result holds operand elements, or zeros, at other places.
package protocol MovementOp: TensorOp {
  /// The length of the code of one element: 0 where only its address differs.
  static var codeLength: Int { get }
}

extension MovementOp {
  package static var traits: Traits { [] }
  package static var codeLength: Int { 1 }
  package static var kernelKind: KernelKind { .loopNest }
  package static var repetition: Repetition { .free }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: 0, codeLength: Self.codeLength)
  }

  package func alignedOperands(from axis: Int, of count: Int) -> Range<Int>? { nil }
  package func acceptsQ8(_ operands: [TensorType], _ results: [TensorType]) -> Bool { false }
}
