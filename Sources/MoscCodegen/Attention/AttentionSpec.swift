import MoscIR
import MoscLLVM

/// Where one operand of attention lies: element
/// `offset + image · batchPitch + token · tokenPitch + head · headPitch + channel`.
package struct AttentionOperand: Hashable, Sendable {
  /// The element type.
  package var dtype: DType
  /// The first element.
  package var offset: Int
  /// Elements from one token to the next.
  package var tokenPitch: Int
  /// Elements from one image to the next.
  package var batchPitch: Int
  /// Elements from one head to the next.
  package var headPitch: Int

  /// Describes it by its numbers.
  package init(
    _ dtype: DType, offset: Int = 0, tokenPitch: Int, batchPitch: Int, headPitch: Int
  ) {
    self.dtype = dtype
    self.offset = offset
    self.tokenPitch = tokenPitch
    self.batchPitch = batchPitch
    self.headPitch = headPitch
  }

  /// A dense `[batch, tokens, heads · depth]` tensor.
  package init(dense dtype: DType, tokens: Int, heads: Int, depth: Int) {
    self.init(
      dtype, tokenPitch: heads * depth, batchPitch: tokens * heads * depth, headPitch: depth)
  }
}

/// Scaled dot-product attention with every number static: per image and head
/// `y[i] = Σ_j softmax_j(scale · q[i]·k[j]) · v[j]`, over `j ≤ i + keyCount − queryCount` only
/// when causal.
package struct AttentionSpec: Hashable, Sendable {
  /// Images.
  package var batch: Int
  /// Heads of an image.
  package var heads: Int
  /// Channels of a head.
  package var depth: Int
  /// Queries of a head.
  package var queryCount: Int
  /// Keys and values of a head.
  package var keyCount: Int
  /// Whether query i sees keys up to its own only; queries are the last of the tokens.
  package var isCausal: Bool
  /// What scores are multiplied by before the softmax.
  package var scale: Float
  /// Where queries lie.
  package var queries: AttentionOperand
  /// Where keys lie.
  package var keys: AttentionOperand
  /// Where values lie.
  package var values: AttentionOperand
  /// Where results go.
  package var output: AttentionOperand
  /// How the work is cut.
  package var blocks: AttentionBlocks

  /// Dense operands of one type, of queries `[batch, tokens, heads · depth]`, and
  /// `scale = 1/√depth`.
  package init(
    queries shape: [Int], keys keyCount: Int, heads: Int, dtype: DType, isCausal: Bool = false,
    output: DType = .f32, blocks: AttentionBlocks
  ) {
    let depth = heads == 0 ? 0 : shape[2] / heads
    func operand(_ dtype: DType, _ tokens: Int) -> AttentionOperand {
      AttentionOperand(dense: dtype, tokens: tokens, heads: heads, depth: depth)
    }
    (batch, queryCount) = (shape[0], shape[1])
    (self.keyCount, self.heads, self.depth) = (keyCount, heads, depth)
    self.isCausal = isCausal
    scale = 1 / Float(depth).squareRoot()
    queries = operand(dtype, queryCount)
    keys = operand(dtype, keyCount)
    values = operand(dtype, keyCount)
    self.output = operand(output, queryCount)
    self.blocks = blocks
  }

  /// Floating-point operations of both products, two per multiplication.
  package var flops: Int { 4 * batch * heads * queryCount * keyCount * depth }

  /// Keys before the first query: query i sees key j when `j ≤ i + causalLead`.
  var causalLead: Int { keyCount - queryCount }

  /// Throws when the numbers make no attention.
  func check(_ target: TargetFacts) throws(EmitError) {
    try checkExtents()
    try EmitError.require(
      blocks.queries > 0 && blocks.queries % target.lanes == 0 && blocks.keys > 0
        && blocks.keys % AttentionBlocks.tileRows == 0 && blocks.group > 0,
      "attention blocks must be vectors of \(target.lanes) queries and multiples of "
        + "\(AttentionBlocks.tileRows) keys, found \(blocks)")
  }

  /// Throws when extents, scale or types make no attention.
  func checkExtents() throws(EmitError) {
    let extents = [batch, heads, depth, queryCount, keyCount]
    try EmitError.require(
      extents.allSatisfy { $0 > 0 }, "attention extents must be positive, found \(extents)")
    try EmitError.require(scale > 0, "attention scale must be positive, found \(scale)")
    for operand in [queries, keys, values, output] {
      try EmitError.require(
        operand.dtype.isFloat, "attention operands must be floats, found \(operand.dtype)")
    }
  }
}

/// The static loop structure of attention: block sizes, scratch layout and tasks.
struct AttentionPlan {
  let spec: AttentionSpec
  let lanes: Int
  /// Whether products take bf16 pairs; f32 otherwise.
  let usesPairs: Bool
  /// Vectors of a query block.
  let queryVectors: Int

  init(_ spec: AttentionSpec, _ target: TargetFacts) {
    self.spec = spec
    lanes = target.lanes
    let types = [spec.queries.dtype, spec.keys.dtype, spec.values.dtype]
    usesPairs = types.allSatisfy { $0 == .bf16 } && spec.depth % 2 == 0
    queryVectors = spec.blocks.queries / target.lanes
  }

  /// Query blocks of a task; they share the rearranged keys and values.
  var group: Int { spec.blocks.group }
  /// Queries of a block.
  var queryBlock: Int { spec.blocks.queries }
  var queryBlocks: Int { (spec.queryCount + queryBlock - 1) / queryBlock }
  var groups: Int { (queryBlocks + group - 1) / group }
  var tasks: Int { spec.batch * spec.heads * groups }

  /// Four-byte words of a query, key or score step: channels, or pairs of channels.
  var depthWords: Int { usesPairs ? spec.depth / 2 : spec.depth }
  /// Channels rounded up to whole register tiles.
  var paddedDepth: Int { (spec.depth + AttentionTiles.rows - 1) / AttentionTiles.rows * AttentionTiles.rows }
  /// Keys of a block.
  var blockKeys: Int { spec.blocks.keys }
  /// Whether the last register tile of keys may reach past the end.
  var hasPartialTiles: Bool { spec.keyCount % AttentionTiles.rows != 0 }
}
