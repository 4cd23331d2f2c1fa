import MoscIR
import MoscLLVM

/// One part of the backward pass of attention, with every number static.
package struct AttentionGradientSpec: Hashable, Sendable {
  /// What is computed.
  package enum Part: Hashable, Sendable {
    /// `L[i] = ln Σ_j e^(s[i,j])`.
    case statistics
    /// `dq[i] = scale · Σ_j dS[i,j] k[j]`.
    case queries
    /// `dk[j] = scale · Σ_i dS[i,j] q[i]`, and behind it `dv[j] = Σ_i P[i,j] dy[i]`.
    case keysAndValues
  }

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

  package var part: Part
  /// Shapes, scale and mask; `queries`, `keys` and `values` say where these lie.
  package var attention: AttentionSpec
  /// Where the gradient of the result lies.
  package var gradient: AttentionOperand
  /// Where `L` and `D` lie.
  package var statistics, products: Rows
  /// How many keys a query sees beyond its own number when causal.
  package var lead: Int

  /// Dense operands of one type.
  package init(
    _ part: Part, dense dtype: DType, batch: Int, heads: Int, depth: Int, queryCount: Int,
    keyCount: Int, isCausal: Bool = false
  ) {
    self.part = part
    attention = AttentionSpec(
      dense: dtype, batch: batch, heads: heads, depth: depth, queryCount: queryCount,
      keyCount: keyCount, isCausal: isCausal)
    gradient = attention.queries
    statistics = Rows(
      batchPitch: heads * queryCount, headPitch: queryCount, tokenPitch: 1)
    products = statistics
    lead = Swift.max(keyCount - queryCount, 0)
  }
}

/// The static loop structure: one side's tokens lie in vector lanes, the other side's are blocks of
/// rows that are broadcast.
struct AttentionGradientPlan {
  let spec: AttentionGradientSpec
  let lanes: Int
  /// Vectors of a block of lane tokens.
  let vectors: Int

  /// Rows, or channels, of a register tile.
  static let tile = 4
  /// Rows of a block.
  static let rowBlock = 64

  init(_ spec: AttentionGradientSpec, _ target: TargetFacts) {
    self.spec = spec
    lanes = target.lanes
    let widest = target.vectorRegisters >= 32 ? 4 : 2
    let tokens =
      spec.part == .keysAndValues ? spec.attention.keyCount : spec.attention.queryCount
    vectors = Swift.min(widest, (tokens + target.lanes - 1) / target.lanes)
  }

  /// Whether keys lie in the lanes.
  var hasKeysInLanes: Bool { spec.part == .keysAndValues }
  var laneTokens: Int {
    hasKeysInLanes ? spec.attention.keyCount : spec.attention.queryCount
  }
  var rowTokens: Int { hasKeysInLanes ? spec.attention.queryCount : spec.attention.keyCount }
  var laneBlock: Int { vectors * lanes }
  var laneBlocks: Int { (laneTokens + laneBlock - 1) / laneBlock }
  var tasks: Int { spec.attention.batch * spec.attention.heads * laneBlocks }
  var depth: Int { spec.attention.depth }
  /// Channels rounded up to whole register tiles.
  var paddedDepth: Int { (depth + Self.tile - 1) / Self.tile * Self.tile }
  /// Rows of a block rounded up to whole register tiles.
  var blockRows: Int {
    Swift.min(Self.rowBlock, (rowTokens + Self.tile - 1) / Self.tile * Self.tile)
  }
}
