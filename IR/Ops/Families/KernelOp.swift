/// An op that is the heart of a kernel, or one of its own; it has to say of which kind and what it
/// costs.
package protocol KernelOp: TensorOp {}

extension KernelOp {
  package static var repetition: Repetition { .dear }
  package func alignedOperands(from axis: Int, of count: Int) -> Range<Int>? { nil }
  package func acceptsQ8(_ operands: [TensorType], _ results: [TensorType]) -> Bool { false }
}

/// Attention, or a part of its backward pass, cut as its blocks say.
package protocol AttentionOp: KernelOp {
  /// The number of heads, which divides the channels.
  var heads: Int { get }
  /// How the work is cut, or nil while that is undecided.
  var blocks: AttentionBlocks? { get set }
  /// Whether keys lie in vector lanes, not queries.
  static var isBackward: Bool { get }
}

extension AttentionOp {
  package static var isBackward: Bool { false }
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

  /// Checks that packed weights are as wide as the tile reads them.
  func expectPanels(_ weight: TensorType) throws(OpError) {
    guard case .panel(let width) = weight.layout else { return }
    guard let tile else {
      throw error("tile", "weight \(weight) is packed, but no tile says how to read it")
    }
    if tile.columns != width {
      throw error("tile", "a tile of \(tile.columns) columns cannot read \(weight)")
    }
  }
}
