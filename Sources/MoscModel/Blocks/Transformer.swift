import MoscIR

/// Self-attention, cross-attention and a gated feed-forward net, each added to its input after a
/// layer norm. Source: diffusers `BasicTransformerBlock`.
package struct TransformerBlock {
  package var heads: Int

  package init(heads: Int) { self.heads = heads }

  /// Appends the block: x `[n,t,c]`, context `[n,m,c']` → `[n,t,c]`; with a coverage `[r,t]` the
  /// context is `[n,r,m,c']`.
  package func callAsFunction(
    _ x: ValueID, context: ValueID, coverage: ValueID? = nil, _ path: String,
    in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let attention = AttentionBlock(heads: heads)
    var h = x
    let normed1 = try b.layerNorm(h, "\(path).norm1")
    let own = try attention(normed1, "\(path).attn1", in: &b)
    h = try b.graph.add(h, own, name: "\(path).after_attn1")
    let normed2 = try b.layerNorm(h, "\(path).norm2")
    let cross = try attention(
      normed2, source: context, coverage: coverage, "\(path).attn2", in: &b)
    h = try b.graph.add(h, cross, name: "\(path).after_attn2")
    let normed3 = try b.layerNorm(h, "\(path).norm3")
    let mapped = try feedForward(normed3, "\(path).ff", in: &b)
    return try b.graph.add(h, mapped, name: path)
  }

  /// `y = W₂ · geglu(W₁ x)` with an inner width of four times the outer.
  private func feedForward(
    _ x: ValueID, _ path: String, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let width = b.type(x).lastExtent
    let inner = try b.linear(x, "\(path).net.0.proj", out: 8 * width)
    let gated = try b.graph.geglu(inner, name: "\(path).net.0")
    return try b.linear(gated, "\(path).net.2", out: width)
  }
}

/// Transformer blocks over the pixels of an image, between projections, added to their input.
///
/// Source: diffusers `Transformer2DModel`; the group norm's eps is fixed at 1e-6 there.
package struct SpatialTransformer {
  package var heads: Int
  package var groups: Int
  /// Whether the projections are linear layers over tokens rather than 1×1 convolutions.
  package var usesLinearProjection: Bool

  package init(heads: Int, groups: Int, usesLinearProjection: Bool) {
    self.heads = heads
    self.groups = groups
    self.usesLinearProjection = usesLinearProjection
  }

  /// Appends one transformer block per context: x `[n,h,w,c]` → `[n,h,w,c]`.
  package func callAsFunction(
    _ x: ValueID, contexts: [ValueID], coverage: ValueID? = nil, _ path: String,
    in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let shape = b.type(x).shape
    let block = TransformerBlock(heads: heads)
    var h = try b.groupNorm(x, "\(path).norm", groups: groups, eps: 1e-6)
    h = try project(h, "\(path).proj_in", in: &b)
    h = try b.tokens(h)
    for (i, context) in contexts.enumerated() {
      h = try block(
        h, context: context, coverage: coverage, "\(path).transformer_blocks.\(i)", in: &b)
    }
    h = try b.graph.reshape(h, to: shape)
    h = try project(h, "\(path).proj_out", in: &b)
    return try b.graph.add(h, x, name: path)
  }

  /// A linear map of the channels; both forms compute the same, only the weight's shape differs.
  private func project(
    _ x: ValueID, _ path: String, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let width = b.type(x).lastExtent
    return usesLinearProjection
      ? try b.linear(x, path, out: width) : try b.conv(x, path, out: width, kernel: 1)
  }
}
