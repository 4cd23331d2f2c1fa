/// An op that is the heart of a kernel, or one of its own; it has to say of which kind and what it
/// costs.
package protocol KernelOp: TensorOp {}

extension KernelOp {
  package static var repetition: Repetition { .dear }
  package func alignedOperands(from axis: Int, of count: Int) -> Range<Int>? { nil }
  package func acceptsQ8(_ operands: [TensorType], _ results: [TensorType]) -> Bool { false }
}

/// A contraction over weights that may be packed, cut as its tile says.
package protocol TiledOp: KernelOp {
  /// How the work is cut, or nil while that is undecided.
  var tile: Tile? { get set }
}

extension TiledOp {
  package static var traits: Traits { .contraction }
  package static var kernelKind: KernelKind { .contraction }
  package func acceptsQ8(_ operands: [TensorType], _ results: [TensorType]) -> Bool { true }
}
