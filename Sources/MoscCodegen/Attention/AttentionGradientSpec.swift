import MoscIR
import MoscLLVM

/// The backward pass of attention, with every number static.
package struct AttentionGradientSpec: Hashable, Sendable {
  /// Where the numbers of the rows `[image, head, query]` lie, in elements.
  package struct Rows: Hashable, Sendable {
    package var offset = 0
    package var batchPitch: Int
    package var headPitch: Int
    package var tokenPitch: Int

    package init(offset: Int = 0, batchPitch: Int, headPitch: Int, tokenPitch: Int) {
      self.offset = offset
      self.batchPitch = batchPitch
      self.headPitch = headPitch
      self.tokenPitch = tokenPitch
    }
  }

  /// Shapes, scale and mask; `queries`, `keys` and `values` say where these lie, and `output` where
  /// the gradients by them go: rows of an image one after the other.
  package var attention: AttentionSpec
  /// Where the gradient of the result lies.
  package var gradient: AttentionOperand
  /// Where `L` and `D` lie.
  package var statistics, products: Rows

  /// Dense operands of one type, of queries `[batch, tokens, heads · depth]`.
  package init(
    queries: [Int], keys: Int, heads: Int, dtype: DType, isCausal: Bool = false,
    blocks: AttentionBlocks
  ) {
    attention = AttentionSpec(
      queries: queries, keys: keys, heads: heads, dtype: dtype, isCausal: isCausal, blocks: blocks)
    attention.output.batchPitch = (queries[1] + 2 * keys) * queries[2]
    gradient = attention.queries
    statistics = Rows(
      batchPitch: heads * queries[1], headPitch: queries[1], tokenPitch: 1)
    products = statistics
  }

  /// Throws when the numbers make no backward pass.
  func check(_ target: TargetFacts) throws(EmitError) {
    try attention.checkExtents()
    let blocks = attention.blocks
    try EmitError.require(
      blocks.keys > 0 && blocks.keys % target.lanes == 0 && blocks.queries > 0
        && blocks.queries % AttentionBlocks.tileRows == 0 && blocks.group > 0,
      "attention gradients need blocks of vectors of \(target.lanes) keys and multiples of "
        + "\(AttentionBlocks.tileRows) queries, found \(blocks)")
  }
}

/// The static loop structure: keys lie in the vector lanes, blocks of queries are rows.
struct AttentionGradientPlan {
  let spec: AttentionGradientSpec
  let lanes: Int
  /// Whether products take bf16 pairs; f32 otherwise.
  let usesPairs: Bool
  /// Vectors of a block of keys.
  let vectors: Int

  init(_ spec: AttentionGradientSpec, _ target: TargetFacts) {
    self.spec = spec
    lanes = target.lanes
    let shape = spec.attention
    let types = [shape.queries.dtype, shape.keys.dtype, shape.values.dtype, spec.gradient.dtype]
    usesPairs = types.allSatisfy { $0 == .bf16 } && shape.depth % 2 == 0
    vectors = shape.blocks.keys / lanes
  }

  var depth: Int { spec.attention.depth }
  /// Four-byte words of a token: channels, or pairs of channels.
  var depthWords: Int { usesPairs ? depth / 2 : depth }
  /// Channels rounded up to whole register tiles.
  var paddedDepth: Int { (depth + AttentionTiles.rows - 1) / AttentionTiles.rows * AttentionTiles.rows }
  /// Vectors of a token's channels.
  var depthVectors: Int { (depth + lanes - 1) / lanes }

  /// Key blocks that share a pass over the queries.
  var group: Int { spec.attention.blocks.group }
  var keyBlock: Int { spec.attention.blocks.keys }
  var keyBlocks: Int { (spec.attention.keyCount + keyBlock - 1) / keyBlock }
  var queryBlock: Int { spec.attention.blocks.queries }
  /// A head each: a pass adds to all its queries.
  var tasks: Int { spec.attention.batch * spec.attention.heads }
}
