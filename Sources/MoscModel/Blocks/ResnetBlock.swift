import MoscIR

/// Residual block of two 3×3 convolutions:
/// `y = s(x) + conv2(silu(norm2(conv1(silu(norm1(x))) + W·silu(emb))))`.
///
/// `s` is the identity, or a 1×1 convolution when the channel count changes; the embedding term is
/// left out in the VAE. Source: He et al. 2016; diffusers `ResnetBlock2D`.
package struct ResnetBlock {
  /// Output channels.
  package var out: Int
  package var groups: Int
  package var eps: Double

  package init(out: Int, groups: Int, eps: Double) {
    self.out = out
    self.groups = groups
    self.eps = eps
  }

  /// Appends the block: x `[n,h,w,c]`, activated embedding `[n,e]` → `[n,h,w,out]`.
  package func callAsFunction(
    _ x: ValueID, embedding: ValueID? = nil, _ path: String, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    var h = try b.groupNorm(x, "\(path).norm1", groups: groups, eps: eps)
    h = try b.graph.silu(h, name: "\(path).act1")
    h = try b.conv(h, "\(path).conv1", out: out)
    if let embedding {
      let shift = try b.linear(embedding, "\(path).time_emb_proj", out: out)
      let samples = b.type(shift).shape[0]
      let perPixel = try b.graph.reshape(shift, to: [samples, 1, 1, out])
      h = try b.graph.add(h, perPixel, name: "\(path).shifted")
      h = try b.shifted(h, by: embedding, "\(path).time_emb_proj")
    }
    h = try b.groupNorm(h, "\(path).norm2", groups: groups, eps: eps)
    h = try b.graph.silu(h, name: "\(path).act2")
    h = try b.conv(h, "\(path).conv2", out: out)
    let changesWidth = b.type(x).lastExtent != out
    let shortcut =
      changesWidth ? try b.conv(x, "\(path).conv_shortcut", out: out, kernel: 1) : x
    return try b.graph.add(shortcut, h, name: path)
  }
}
