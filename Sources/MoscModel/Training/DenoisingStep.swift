import MoscIR

/// One training step of the whole denoiser as a function: text encoder and U-Net together.
///
/// Function `@denoising_step`, with b pictures of h×w latent pixels and c channels:
///
///     loss = that of `NoisingStep` + layout
///
/// where `layout` is that of `LayoutLoss`, if asked for. With r regions every picture has 1 + r prompts, its own
/// first, and a pixel listens to them as the coverage says, as when pictures are drawn (`UNet`); `LayoutLoss` looks at
/// the first.
///
/// - Parameters of the function: those of `NoisingStep`; `input_ids` `i32[b·(1+r),t]`; with regions
///   `coverage.HxW` `f32[1+r,H·W]`, the same for all pictures; every weight of both networks.
/// - Results: `loss` `f32[1]`, `errors` `f32[b]`, with layout the `layout` `f32[1]` before its weight, and
///   `grad.NAME` for every weight.
/// - Source: Rombach et al. 2022, eq. 3.
package struct DenoisingStep: Hashable, Sendable {
  package var noising: NoisingStep
  /// Whether words are told where they belong.
  package var learnsLayout: Bool
  /// The number of regions with a prompt of their own.
  package var regions: Int

  package init(_ noising: NoisingStep, learnsLayout: Bool = false, regions: Int = 0) {
    (self.noising, self.learnsLayout, self.regions) = (noising, learnsLayout, regions)
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
    let (batch, height, width) = (noising.batch, noising.height, noising.width)
    var states = try b.reading(&text) { (b) throws(Diagnostic) in
      try encoder.encode(TextEncoder.Shape(batch: batch * (1 + regions)), in: &b)
    }
    if regions > 0 {
      states = try b.graph.reshape(states, to: [batch, 1 + regions] + b.type(states).shape.dropFirst())
    }
    let inputs = try noising.inputs(channels: unet.config.inChannels, in: &b.graph)
    let shape = UNet.Shape(
      batch: batch, height: height, width: width, tokens: encoder.config.positions, regions: regions)
    if learnsLayout { b.attentionMaps = AttentionMaps(recordsFirst: true) }
    let prediction = try b.reading(&image) { (b) throws(Diagnostic) in
      try unet.denoise(inputs.noisy, timestep: inputs.timestep, states: states, shape, in: &b)
    }
    var (loss, errors) = try noising.loss(prediction, inputs, in: &b.graph)
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
