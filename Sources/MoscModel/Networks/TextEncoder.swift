import MoscIR

/// The CLIP text encoder: token ids to text states.
///
/// Function `@text_encoder(%input_ids i32[n,t]) -> last_hidden_state f32[n,t,c]`: causal
/// attention, no padding mask, final layer norm. Source: Radford et al. 2021; transformers
/// `CLIPTextModel`.
package struct TextEncoder {
  package var config: TextEncoderConfig

  package init(_ config: TextEncoderConfig) { self.config = config }

  /// The IR of the encoder.
  ///
  /// - Parameters:
  ///   - tokens: tokens per prompt; all positions when nil.
  ///   - skippedLayers: how many of the last layers are left out before the final norm. The web
  ///     UI's clip skip k is `k − 1`, diffusers' `clip_skip` k is k.
  /// - Errors: those of `Checkpoint.weight`; `model.size`, `model.clip-skip`.
  package func graph(
    batch: Int = 1, tokens: Int? = nil, skippedLayers: Int = 0, _ checkpoint: inout Checkpoint
  ) throws(Diagnostic) -> Graph {
    let tokens = tokens ?? config.positions
    try expectPositive(("batch", batch), ("tokens", tokens))
    guard tokens <= config.positions else {
      throw Diagnostic(
        "model.size", "\(tokens) tokens, but the text encoder has \(config.positions) positions")
    }
    guard 0...config.layers ~= skippedLayers else {
      throw Diagnostic(
        "model.clip-skip",
        "cannot skip \(skippedLayers) of the text encoder's \(config.layers) layers")
    }
    var b = ModelBuilder("text_encoder", checkpoint)
    let ids = b.graph.parameter("input_ids", .i32(batch, tokens))
    var x = try embed(ids, in: &b)
    for layer in 0..<config.layers - skippedLayers {
      x = try encoderLayer(x, "text_model.encoder.layers.\(layer)", in: &b)
    }
    x = try b.layerNorm(x, "text_model.final_layer_norm", eps: config.eps)
    return b.finish(["last_hidden_state": x], &checkpoint)
  }

  /// Token rows plus position rows.
  private func embed(_ ids: ValueID, in b: inout ModelBuilder) throws(Diagnostic) -> ValueID {
    let path = "text_model.embeddings"
    let table = try b.weight("\(path).token_embedding.weight", config.vocabulary, config.width)
    let rows = try b.weight("\(path).position_embedding.weight", config.positions, config.width)
    let tokens = b.type(ids).shape[1]
    let looked = try b.graph.gather(table, ids: ids, name: "\(path).token_embedding")
    let used =
      tokens == config.positions ? rows : try b.graph.slice(rows, axis: 0, from: 0, to: tokens)
    let positions = try b.graph.reshape(
      used, to: [1, tokens, config.width], name: "\(path).position_embedding")
    return try b.graph.add(looked, positions, name: path)
  }

  /// Causal self-attention and a feed-forward net, each added to its input after a layer norm.
  private func encoderLayer(
    _ x: ValueID, _ path: String, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let normed1 = try b.layerNorm(x, "\(path).layer_norm1", eps: config.eps)
    let mixed = try selfAttention(normed1, "\(path).self_attn", in: &b)
    let h = try b.graph.add(x, mixed, name: "\(path).after_attn")
    let normed2 = try b.layerNorm(h, "\(path).layer_norm2", eps: config.eps)
    let inner = try b.linear(normed2, "\(path).mlp.fc1", out: config.innerWidth)
    let active: ValueID
    switch config.activation {
    case .quickGelu: active = try b.graph.quickGelu(inner, name: "\(path).mlp.act")
    case .gelu: active = try b.graph.gelu(inner, name: "\(path).mlp.act")
    }
    let outer = try b.linear(active, "\(path).mlp.fc2", out: config.width)
    return try b.graph.add(h, outer, name: path)
  }

  private func selfAttention(
    _ x: ValueID, _ path: String, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let q = try b.linear(x, "\(path).q_proj", out: config.width)
    let k = try b.linear(x, "\(path).k_proj", out: config.width)
    let v = try b.linear(x, "\(path).v_proj", out: config.width)
    let mixed = try b.graph.attention(
      q, keys: k, values: v, heads: config.heads, causal: true, name: "\(path).attend")
    return try b.linear(mixed, "\(path).out_proj", out: config.width)
  }

  /// Files may leave out the leading module name.
  package static let spellings = [Spelling("text_model.", stored: "", isPrefix: true)]

  /// Tensors that files of text encoders hold although nothing here reads them.
  package static let explained = [
    ExplainedTensor(
      "text_model.embeddings.position_ids", "the numbers 0, 1, 2, … as older versions saved them"),
    ExplainedTensor(
      "text_projection.weight", "maps the pooled state to CLIP's image space, not used here"),
  ]
}
