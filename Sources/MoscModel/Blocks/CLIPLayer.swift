import MoscIR

/// Self-attention and a feed-forward net, each added to its input after a layer norm: a layer of both of
/// CLIP's towers. Source: transformers `CLIPEncoderLayer`.
struct CLIPLayer {
  var innerWidth: Int
  var activation: TextEncoderConfig.Activation
  var eps: Double

  /// Appends the layer: x `[n,t,c]` → `[n,t,c]`.
  ///
  /// - Parameter attend: appends the attention of queries to keys and values, under a name.
  func callAsFunction(
    _ x: ValueID, _ path: String, in b: inout ModelBuilder,
    attend: (ValueID, ValueID, ValueID, String, inout Graph) throws(Diagnostic) -> ValueID
  ) throws(Diagnostic) -> ValueID {
    let width = b.type(x).lastExtent
    let normed1 = try b.layerNorm(x, "\(path).layer_norm1", eps: eps)
    let own = "\(path).self_attn"
    let q = try b.linear(normed1, "\(own).q_proj", out: width)
    let k = try b.linear(normed1, "\(own).k_proj", out: width)
    let v = try b.linear(normed1, "\(own).v_proj", out: width)
    let attended = try attend(q, k, v, "\(own).attend", &b.graph)
    let mixed = try b.linear(attended, "\(own).out_proj", out: width)
    let h = try b.graph.add(x, mixed, name: "\(path).after_attn")
    let normed2 = try b.layerNorm(h, "\(path).layer_norm2", eps: eps)
    let inner = try b.linear(normed2, "\(path).mlp.fc1", out: innerWidth)
    let active: ValueID
    switch activation {
    case .quickGelu: active = try b.graph.quickGelu(inner, name: "\(path).mlp.act")
    case .gelu: active = try b.graph.gelu(inner, name: "\(path).mlp.act")
    }
    let outer = try b.linear(active, "\(path).mlp.fc2", out: width)
    return try b.graph.add(h, outer, name: path)
  }
}
