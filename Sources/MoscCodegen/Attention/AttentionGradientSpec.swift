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

  /// Dense operands of one type.
  package init(
    dense dtype: DType, batch: Int, heads: Int, depth: Int, queryCount: Int, keyCount: Int,
    isCausal: Bool = false
  ) {
    attention = AttentionSpec(
      dense: dtype, batch: batch, heads: heads, depth: depth, queryCount: queryCount,
      keyCount: keyCount, isCausal: isCausal)
    attention.output.batchPitch = (queryCount + 2 * keyCount) * heads * depth
    gradient = attention.queries
    statistics = Rows(
      batchPitch: heads * queryCount, headPitch: queryCount, tokenPitch: 1)
    products = statistics
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
  /// Key blocks that share a pass over the queries.
  let group: Int

  /// Queries of a block.
  private static let queryBlock = 64
  /// What a group keeps in the cache between blocks of queries.
  private static let groupBytes = 400_000

  init(_ spec: AttentionGradientSpec, _ target: TargetFacts) {
    self.spec = spec
    lanes = target.lanes
    let shape = spec.attention
    let types = [shape.queries.dtype, shape.keys.dtype, shape.values.dtype, spec.gradient.dtype]
    usesPairs = types.allSatisfy { $0 == .bf16 } && shape.depth % 2 == 0
    // Vectors are spread evenly: 77 keys are two blocks of three vectors of 16.
    let needed = (shape.keyCount + lanes - 1) / lanes
    let widest = target.vectorRegisters >= 32 ? 4 : 2
    let blocks = (needed + widest - 1) / widest
    vectors = (needed + blocks - 1) / blocks
    let words = (usesPairs ? 3 : 6) * shape.depth / 2 + 2 * shape.depth
    group = max(1, min(4, blocks, Self.groupBytes / (words * vectors * lanes * 4)))
  }

  var depth: Int { spec.attention.depth }
  /// Four-byte words of a token: channels, or pairs of channels.
  var depthWords: Int { usesPairs ? depth / 2 : depth }
  /// Channels rounded up to whole register tiles.
  var paddedDepth: Int { (depth + AttentionTiles.rows - 1) / AttentionTiles.rows * AttentionTiles.rows }
  /// Vectors of a token's channels.
  var depthVectors: Int { (depth + lanes - 1) / lanes }

  var keyBlock: Int { vectors * lanes }
  var keyBlocks: Int { (spec.attention.keyCount + keyBlock - 1) / keyBlock }
  /// Queries of a block: whole register tiles.
  var queryBlock: Int {
    let tile = AttentionTiles.rows
    return min(Self.queryBlock, (spec.attention.queryCount + tile - 1) / tile * tile)
  }
  /// A head each: a pass adds to all its queries.
  var tasks: Int { spec.attention.batch * spec.attention.heads }
}
