import MoscIR

/// One training step of concept tuning as a function: from noise to loss and gradients.
///
/// Function `@concept_step`, with b pictures of h×w latent pixels, t text tokens, L cross-attention
/// layers (1 for concepts with one embedding for all layers):
///
///     x_t  = signal·latents + level·ε        ε = noise + noise_offset
///     loss = Σ loss_weight·(prediction − target)² + attn_reg
///
/// with target = ε, or the velocity `signal·ε − level·latents`. The regulariser sums over the
/// resolutions R of cross-attention; M is the mean attention to a concept word over layers and
/// heads, divided by its maximum over the batch; the last word is the subject, the first of two the
/// adjective:
///
///     attn_reg = w · Σ_R ( Σ outside·M_adjective + identity )
///     identity = mean((M_subject − mask)²), or Σ outside·M_subject
///
/// - Parameters of the function: `latents`, `noise` `f32[b,h,w,c]`; `noise_offset` `f32[b,1,1,c]`;
///   `signal`, `level` `f32[b,1,1,1]`; `timestep` `f32[b]`; `loss_weight` `f32[b,h,w,1]`, the mask over
///   b times its sum; `input_ids` and `prefix_ids` as in `TextEncoder`; with regulariser
///   `word_positions` `f32[b,t,words]` of zeros and ones, `outside.HxW` `f32[b,H·W,1]`, the pixels
///   without concept over their number, `concept.HxW` `f32[b,H·W,1]`, the mask, and `attention_weight`
///   `f32[1]`. The trained tensors are parameters too.
/// - Results: `loss` and `attn_reg` `f32[1]`, `model_pred` `f32[b,h,w,c]`, and `grad.NAME` for every
///   trained tensor.
/// - Source: Gu et al. 2023, §3.2; the official trainer, whose loss divides sums over four channels
///   by sums over one.
package struct ConceptStep: Hashable, Sendable {
  /// The attention regulariser.
  package struct Regulariser: Hashable, Sendable {
    /// The number of concept words in a caption.
    package var words: Int
    /// Whether the subject's attention follows the mask, rather than only keep out of the rest.
    package var isFullIdentity: Bool

    package init(words: Int, isFullIdentity: Bool) {
      self.words = words
      self.isFullIdentity = isFullIdentity
    }
  }

  package var batch: Int
  /// Height and width of the latents.
  package var height: Int
  package var width: Int
  /// The number of captions that are encoded: the batch, or 1 when all pictures share one.
  package var captions: Int
  /// Whether every cross-attention layer has an embedding of its own.
  package var isLayerwise: Bool
  /// Tokens that the prompts of all captions begin with.
  package var sharedTokens: Int
  package var regulariser: Regulariser?
  /// Whether the network predicts the velocity rather than the noise.
  package var predictsVelocity: Bool

  package init(
    batch: Int, height: Int, width: Int, captions: Int? = nil, isLayerwise: Bool = true,
    sharedTokens: Int = 0, regulariser: Regulariser? = nil, predictsVelocity: Bool = false
  ) {
    self.batch = batch
    self.height = height
    self.width = width
    self.captions = captions ?? batch
    self.isLayerwise = isLayerwise
    self.sharedTokens = sharedTokens
    self.regulariser = regulariser
    self.predictsVelocity = predictsVelocity
  }

  /// The name of the function.
  package static let name = "concept_step"
  /// What comes before the name of a trained tensor in the name of its gradient.
  package static let gradientPrefix = ResultName.gradient(of: "")

  /// The IR of the step, its gradients requested.
  ///
  /// - Parameters:
  ///   - text: the weights of the text encoder.
  ///   - image: those of the U-Net.
  /// - Errors: those of the networks; `training.nothing` when no tensor is trained.
  func graph(
    _ encoder: TextEncoder, _ unet: UNet, text: inout NetworkWeights, image: inout NetworkWeights
  ) throws(Diagnostic) -> Graph {
    var b = ModelBuilder(Self.name)
    let layers = isLayerwise ? unet.config.crossAttentionLayers : 1
    let prompts = TextEncoder.Shape(batch: captions * layers, sharedTokens: sharedTokens)
    let encoded = try b.reading(&text) { (b) throws(Diagnostic) in
      try encoder.encode(prompts, in: &b)
    }
    let states = try self.states(encoded, layers, in: &b)
    if regulariser != nil { b.attentionMaps = AttentionMaps() }

    let channels = unet.config.inChannels
    let noise = try Noising(self, channels: channels, in: &b.graph)
    let timestep = b.graph.parameter("timestep", .f32(batch))
    let shape = UNet.Shape(
      batch: batch, height: height, width: width, tokens: encoder.config.positions,
      isLayerwise: isLayerwise)
    let prediction = try b.reading(&image) { (b) throws(Diagnostic) in
      try unet.denoise(noise.noisy, timestep: timestep, states: states, shape, in: &b)
    }
    let attention = try regularisation(
      unet, tokens: encoder.config.positions, b.attentionMaps, in: &b.graph)
    let error = try noiseLoss(prediction, noise.target, in: &b.graph)
    let total = try b.graph.add(error, attention)
    return try b.graph.withGradients(
      of: total, text.hooks.trainedInputs + image.hooks.trainedInputs,
      results: [("loss", total), ("attn_reg", attention), ("model_pred", prediction)])
  }

  /// The text states `[b,L,t,c]`, or `[b,t,c]`.
  private func states(
    _ encoded: ValueID, _ layers: Int, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let shape = b.type(encoded).shape
    let layered = isLayerwise ? [layers] : []
    let own = try b.graph.reshape(encoded, to: [captions] + layered + shape.dropFirst())
    if captions == batch { return own }
    return try b.graph.broadcast(own, to: [batch] + layered + shape.dropFirst())
  }

  /// `Σ loss_weight·(prediction − target)²`, `[1]`.
  private func noiseLoss(
    _ prediction: ValueID, _ target: ValueID, in g: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let weight = g.parameter("loss_weight", .f32(batch, height, width, 1))
    let error = try g.sub(prediction, target)
    let weighted = try g.mul(try g.mul(error, error), weight)
    return try g.reshape(try g.reduceSum(weighted, axes: [0, 1, 2, 3]), to: [1])
  }

  /// The regulariser `[1]`, zero without one.
  private func regularisation(
    _ unet: UNet, tokens: Int, _ maps: AttentionMaps?, in g: inout Graph
  ) throws(Diagnostic) -> ValueID {
    guard let regulariser, let maps else { return try g.constant(0, .f32(1)) }
    let weight = g.parameter("attention_weight", .f32(1))
    let positions = g.parameter("word_positions", .f32(batch, tokens, regulariser.words))
    var sum: ValueID?
    for (height, width) in unet.config.attentionResolutions(height: height, width: width) {
      let pixels = height * width
      guard let map = try maps.mean(pixels, in: &g) else { continue }
      let outside = g.parameter(Self.outsideName(height, width), .f32(batch, pixels, 1))
      let shares = try Self.shares(try g.matmul(map, positions), in: &g)
      func word(_ index: Int) throws(Diagnostic) -> ValueID {
        try g.slice(shares, axis: 2, from: index, to: index + 1)
      }
      func stray(_ map: ValueID) throws(Diagnostic) -> ValueID {
        try g.reduceSum(try g.mul(map, outside), axes: [0, 1, 2])
      }
      let subject = try word(regulariser.words - 1)
      var term: ValueID
      if regulariser.isFullIdentity {
        let mask = g.parameter(Self.conceptName(height, width), .f32(batch, pixels, 1))
        let error = try g.sub(subject, mask)
        let total = try g.reduceSum(try g.mul(error, error), axes: [0, 1, 2])
        term = try g.mul(total, try g.constant(1 / Double(batch * pixels), .f32(1, 1, 1)))
      } else {
        term = try stray(subject)
      }
      if regulariser.words > 1 { term = try g.add(term, try stray(try word(0))) }
      sum = try sum.map { (other) throws(Diagnostic) in try g.add(other, term) } ?? term
    }
    guard let sum else { return try g.constant(0, .f32(1)) }
    return try g.mul(try g.reshape(sum, to: [1]), weight)
  }

  /// Attention to the concept's words `[b,H·W,words]`, each over its maximum in the batch.
  ///
  /// Words that no pixel looks at, because their probabilities underflow, have no share; the
  /// reference divides zero by zero there.
  package static func shares(
    _ words: ValueID, in g: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let peak = try g.reduceMax(words, axes: [0, 1])
    let least = try g.constant(leastAttention, g.type(peak))
    return try g.div(words, try g.maximum(peak, least))
  }

  /// The least maximum of an attention map that is divided by.
  private static let leastAttention = 1e-12

  /// The name of the weights of pixels without concept at a resolution.
  package static func outsideName(_ height: Int, _ width: Int) -> String {
    "outside.\(height)x\(width)"
  }

  /// The name of the mask at a resolution.
  package static func conceptName(_ height: Int, _ width: Int) -> String {
    "concept.\(height)x\(width)"
  }
}

/// The forward diffusion of a step. Source: Ho et al. 2020, eq. 4; Salimans & Ho 2022 (velocity).
private struct Noising {
  let noisy: ValueID
  let target: ValueID

  init(_ step: ConceptStep, channels: Int, in g: inout Graph) throws(Diagnostic) {
    let type = TensorType.f32(step.batch, step.height, step.width, channels)
    let latents = g.parameter("latents", type)
    let noise = g.parameter("noise", type)
    let offset = g.parameter("noise_offset", .f32(step.batch, 1, 1, channels))
    let signal = g.parameter("signal", .f32(step.batch, 1, 1, 1))
    let level = g.parameter("level", .f32(step.batch, 1, 1, 1))
    let epsilon = try g.add(noise, offset)
    noisy = try g.add(try g.mul(latents, signal), try g.mul(epsilon, level), name: "noisy")
    guard step.predictsVelocity else {
      target = epsilon
      return
    }
    target = try g.sub(try g.mul(epsilon, signal), try g.mul(latents, level), name: "velocity")
  }
}
