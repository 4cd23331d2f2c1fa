import MoscIR

/// One training step of the whole denoiser as a function: text encoder and U-Net together.
///
/// Function `@denoising_step`, with b pictures of h×w latent pixels and c channels:
///
///     x_t    = signal·latents + level·noise
///     errors = mean over h, w, c of (prediction − target)²
///     loss   = Σ loss_weight·errors + layout
///
/// where `layout` is that of `LayoutLoss`, if asked for, with target = noise, or the velocity `signal·noise − level·latents`.
///
/// - Parameters of the function: `latents`, `noise` `f32[b,h,w,c]`; `signal`, `level`
///   `f32[b,1,1,1]`; `timestep`, `loss_weight` `f32[b]`; `input_ids` `i32[b,t]`; every weight of both
///   networks.
/// - Results: `loss` `f32[1]`, `errors` `f32[b]`, with layout the `layout` `f32[1]` before its weight, and `grad.NAME` for every weight.
/// - Source: Ho et al. 2020, eq. 14; Rombach et al. 2022, eq. 3.
package struct DenoisingStep: Hashable, Sendable {
  package var batch: Int
  /// Height and width of the latents.
  package var height: Int
  package var width: Int
  /// Whether the network predicts the velocity rather than the noise.
  package var predictsVelocity: Bool
  /// Whether words are told where they belong.
  package var learnsLayout: Bool

  package init(
    batch: Int, height: Int, width: Int, predictsVelocity: Bool = false, learnsLayout: Bool = false
  ) {
    self.batch = batch
    self.height = height
    self.width = width
    self.predictsVelocity = predictsVelocity
    self.learnsLayout = learnsLayout
  }

  /// The name of the function.
  package static let name = "denoising_step"

  /// The IR of the step, its gradients requested.
  ///
  /// - Parameters:
  ///   - text: the weights of the text encoder, trained.
  ///   - image: those of the U-Net.
  /// - Errors: those of the networks.
  func graph(
    _ encoder: TextEncoder, _ unet: UNet, text: inout NetworkWeights, image: inout NetworkWeights
  ) throws(Diagnostic) -> Graph {
    var b = ModelBuilder(Self.name)
    let states = try b.reading(&text) { (b) throws(Diagnostic) in
      try encoder.encode(TextEncoder.Shape(batch: batch), in: &b)
    }
    let type = TensorType.f32(batch, height, width, unet.config.inChannels)
    let latents = b.graph.parameter("latents", type)
    let noise = b.graph.parameter("noise", type)
    let signal = b.graph.parameter("signal", .f32(batch, 1, 1, 1))
    let level = b.graph.parameter("level", .f32(batch, 1, 1, 1))
    let timestep = b.graph.parameter("timestep", .f32(batch))
    let weight = b.graph.parameter("loss_weight", .f32(batch))
    let noisy = try b.graph.add(
      try b.graph.mul(latents, signal), try b.graph.mul(noise, level), name: "noisy")
    let shape = UNet.Shape(
      batch: batch, height: height, width: width, tokens: encoder.config.positions)
    if learnsLayout { b.attentionMaps = AttentionMaps() }
    let prediction = try b.reading(&image) { (b) throws(Diagnostic) in
      try unet.denoise(noisy, timestep: timestep, states: states, shape, in: &b)
    }
    var target = noise
    if predictsVelocity {
      target = try b.graph.sub(
        try b.graph.mul(noise, signal), try b.graph.mul(latents, level), name: "velocity")
    }
    let error = try b.graph.sub(prediction, target)
    let squares = try b.graph.reduceSum(try b.graph.mul(error, error), axes: [1, 2, 3])
    let share = 1 / Double(height * width * unet.config.inChannels)
    let errors = try b.graph.mul(
      try b.graph.reshape(squares, to: [batch]), try b.graph.constant(share, .f32(1)))
    var loss = try b.graph.reduceSum(try b.graph.mul(errors, weight), axes: [0])
    var results = [("errors", errors)]
    if let maps = b.attentionMaps {
      let layout = try LayoutLoss.add(
        maps, batch: batch, tokens: encoder.config.positions,
        resolutions: unet.config.attentionResolutions(height: height, width: width), in: &b.graph)
      loss = try b.graph.add(loss, layout.loss)
      results.append(("layout", layout.share))
    }
    return try b.graph.withGradients(
      of: loss, text.hooks.trainedInputs + image.hooks.trainedInputs,
      results: [("loss", loss)] + results)
  }
}

extension Graph {
  /// The graph with its results and the gradients of a loss with respect to trained inputs.
  ///
  /// - Errors: `training.nothing` when no tensor is trained.
  func withGradients(
    of loss: ValueID, _ trained: [ValueID], results: [(name: String, value: ValueID)]
  ) throws(Diagnostic) -> Graph {
    if trained.isEmpty {
      throw Diagnostic("training.nothing", "no tensor is trained: there is no gradient to take")
    }
    var graph = self
    let gradients = try graph.gradient(loss, trained)
    graph.results = results.map(\.value) + gradients
    graph.resultNames =
      results.map(\.name) + trained.map { ResultName.gradient(of: self[$0].name) }
    return graph
  }
}

extension DiffusersModel {
  /// The step that trains the text encoder and the U-Net.
  ///
  /// - Throws: `FormatError` for files, `Diagnostic` for configs and tensors that do not fit.
  package func trainingModule(_ step: DenoisingStep) throws -> TrainingModule {
    var text = try networkWeights(.textEncoder, training: .weights)
    var image = try networkWeights(.unet, training: .weights)
    let graph = try step.graph(try textEncoder(), try unet(), text: &text, image: &image)
    return TrainingModule(graph, text.hooks.trainedInputs + image.hooks.trainedInputs)
  }
}
