import MoscIR

/// Multi-head attention with its four projections: `y = W_o · attend(W_q x, W_k s, W_v s) + b_o`.
///
/// Shapes: x `[n,t,c]`, source `[n,m,c']` → `[n,t,c]`. Source: diffusers `Attention`.
package struct AttentionBlock {
  package var heads: Int
  /// Whether query, key and value projections have a bias.
  package var hasBias: Bool

  package init(heads: Int, hasBias: Bool = false) {
    self.heads = heads
    self.hasBias = hasBias
  }

  /// Appends the block; self-attention when no source is given, several sources `[n,r,m,c']` mixed
  /// by the coverage `[r,t]` when there is one.
  package func callAsFunction(
    _ x: ValueID, source: ValueID? = nil, coverage: ValueID? = nil, _ path: String,
    in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let width = b.type(x).lastExtent
    let isCross = source != nil
    let source = source ?? x
    let q = try b.linear(x, "\(path).to_q", out: width, bias: hasBias)
    let k = try b.linear(source, "\(path).to_k", out: width, bias: hasBias)
    let v = try b.linear(source, "\(path).to_v", out: width, bias: hasBias)
    if isCross, var maps = b.attentionMaps {
      try maps.record(queries: q, keys: k, heads: heads, in: &b.graph)
      b.attentionMaps = maps
    }
    let name = "\(path).attend"
    let mixed =
      if let coverage {
        try b.graph.regionalAttention(
          q, keys: k, values: v, coverage: coverage, heads: heads, name: name)
      } else {
        try b.graph.attention(q, keys: k, values: v, heads: heads, name: name)
      }
    return try b.linear(mixed, "\(path).to_out.0", out: width)
  }
}

/// The VAE's attention over pixels: `y = x + attention(norm(x))`, one head.
package struct PixelAttention {
  package var groups: Int
  package var eps: Double

  package init(groups: Int, eps: Double) {
    self.groups = groups
    self.eps = eps
  }

  /// Appends the block: `[n,h,w,c]` → `[n,h,w,c]`.
  package func callAsFunction(
    _ x: ValueID, _ path: String, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let normed = try b.groupNorm(x, "\(path).group_norm", groups: groups, eps: eps)
    let tokens = try b.tokens(normed)
    let mixed = try AttentionBlock(heads: 1, hasBias: true)(tokens, path, in: &b)
    let image = try b.graph.reshape(mixed, to: b.type(x).shape)
    return try b.graph.add(x, image, name: path)
  }
}
