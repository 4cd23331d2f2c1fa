import MoscIR

/// The CLIP text encoder: token ids to text states.
///
/// Function `@text_encoder(%input_ids i32[n,t]) -> last_hidden_state f32[n,t,c]`: causal
/// attention, no padding mask, final layer norm. With p shared tokens, `%prefix_ids i32[1,p]` begins
/// every prompt and `%input_ids i32[n,t−p]` goes on: attention is causal, so the states of the
/// prefix are those of every prompt. Source: Radford et al. 2021; transformers
/// `CLIPTextModel`.
package struct TextEncoder: Sendable {
  package var config: TextEncoderConfig

  package init(_ config: TextEncoderConfig) { self.config = config }

  /// The sizes a function is built for.
  package struct Shape: Hashable, Sendable {
    package var batch: Int
    /// Tokens per prompt; all positions when nil.
    package var tokens: Int?
    /// Tokens that all prompts begin with: they are encoded once.
    package var sharedTokens: Int
    /// How many of the last layers are left out before the final norm. The web UI's clip skip k is
    /// `k − 1`, diffusers' `clip_skip` k is k.
    package var skippedLayers: Int

    package init(
      batch: Int = 1, tokens: Int? = nil, sharedTokens: Int = 0, skippedLayers: Int = 0
    ) {
      self.batch = batch
      self.tokens = tokens
      self.sharedTokens = sharedTokens
      self.skippedLayers = skippedLayers
    }
  }

  /// The IR of the encoder.
  ///
  /// - Errors: those of `NetworkWeights.weight`; `model.size`, `model.clip-skip`.
  package func graph(
    _ shape: Shape, _ weights: inout NetworkWeights
  ) throws(Diagnostic) -> Graph {
    var b = ModelBuilder(ComponentKind.textEncoder.rawValue, weights)
    let states = try encode(shape, in: &b)
    return b.finish(["last_hidden_state": states], &weights)
  }

  /// Appends the encoder with its parameters: the states `[n,t,c]`.
  package func encode(_ shape: Shape, in b: inout ModelBuilder) throws(Diagnostic) -> ValueID {
    let tokens = shape.tokens ?? config.positions
    try expectPositive(("batch", shape.batch), ("tokens", tokens))
    guard tokens <= config.positions else {
      throw Diagnostic(
        "model.size", "\(tokens) tokens, but the text encoder has \(config.positions) positions")
    }
    guard 0..<tokens ~= shape.sharedTokens else {
      throw Diagnostic(
        "model.size", "\(shape.sharedTokens) shared tokens, expected 0 to \(tokens - 1)")
    }
    guard 0...config.layers ~= shape.skippedLayers else {
      throw Diagnostic(
        "model.clip-skip",
        "cannot skip \(shape.skippedLayers) of the text encoder's \(config.layers) layers")
    }
    let prompts = SharedPrefix(batch: shape.batch, tokens: tokens, shared: shape.sharedTokens)
    let own = b.graph.parameter("input_ids", .i32(shape.batch, tokens - prompts.shared))
    var x = try embed(own, prompts, in: &b)
    let layer = CLIPLayer(
      innerWidth: config.innerWidth, activation: config.activation, eps: config.eps)
    for number in 0..<config.layers - shape.skippedLayers {
      x = try layer(x, "text_model.encoder.layers.\(number)", in: &b) {
        (q, k, v, name, g) throws(Diagnostic) in
        try prompts.attend(q, k, v, heads: config.heads, name: name, in: &g)
      }
    }
    x = try b.layerNorm(x, "text_model.final_layer_norm", eps: config.eps)
    return try prompts.separated(x, in: &b.graph)
  }

  /// Token rows plus position rows.
  private func embed(
    _ own: ValueID, _ prompts: SharedPrefix, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let path = "text_model.embeddings"
    let table = try b.weight("\(path).token_embedding.weight", config.vocabulary, config.width)
    let rows = try b.weight("\(path).position_embedding.weight", config.positions, config.width)
    var ids = own
    if prompts.shared > 0 {
      let prefix = b.graph.parameter("prefix_ids", .i32(1, prompts.shared))
      ids = try prompts.joined(prefix, own, in: &b.graph)
    }
    let looked = try look(up: ids, in: table, "\(path).token_embedding", &b)
    let positions = try prompts.positions(rows, in: &b.graph)
    return try b.graph.add(looked, positions, name: path)
  }

  /// The rows of tokens; the added ones have a table of their own.
  private func look(
    up ids: ValueID, in table: ValueID, _ path: String, _ b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    guard let added = try b.tokenRows(width: config.width) else {
      return try b.graph.gather(table, ids: ids, name: path)
    }
    let shape = b.type(ids).shape
    let first = try b.graph.constant(
      Double(added.first), TensorType(.i32, [1, 1]), name: "first_added_token")
    // Ids outside of a table read its nearest row, so both tables can be read for every token.
    let known = try b.graph.gather(table, ids: ids)
    let place = try b.graph.sub(ids, first)
    let new = try b.graph.gather(added.rows, ids: place)
    let isNew = try b.graph.compare(ids, first, is: .greaterOrEqual)
    let mask = try b.graph.reshape(isNew, to: shape + [1])
    return try b.graph.select(mask, new, known, name: path)
  }

  /// Files may leave out the leading module name.
  package static let spellings = [Spelling.prefix("text_model.", stored: "")]

  /// Tensors that files of text encoders hold although nothing here reads them.
  package static let explained = [
    ExplainedTensor(
      "text_model.embeddings.position_ids", "the numbers 0, 1, 2, … as older versions saved them"),
    ExplainedTensor(
      "text_projection.weight", "maps the pooled state to CLIP's image space, not used here"),
  ]
}
