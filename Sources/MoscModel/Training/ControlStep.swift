import MoscIR

/// One training step of a ControlNet as a function: the model that it steers stays as it is.
///
/// Function `@control_step`, with b pictures of h×w latent pixels, f pixels to a latent; the loss is that of
/// `NoisingStep` for
///
///     prediction = unet(x_t, control_net(x_t, image))
///
/// - Parameters of the function: those of `NoisingStep`; `input_ids` `i32[b,t]`; `image` `f32[b,f·h,f·w,3]` in
///   0…1; every weight of the ControlNet. Text encoder and U-Net are weights of files.
/// - Results: `loss` `f32[1]`, `errors` `f32[b]`, and `grad.NAME` for every weight of the ControlNet.
/// - Source: Zhang et al. 2023, eq. 5.
package struct ControlStep: Hashable, Sendable {
  package var noising: NoisingStep

  package init(_ noising: NoisingStep) { self.noising = noising }

  /// The name of the function.
  package static let name = "control_step"

  /// The IR of the step, its gradients requested.
  ///
  /// - Errors: those of the networks.
  func graph(
    _ encoder: TextEncoder, _ unet: UNet, _ net: ControlNet, text: inout NetworkWeights,
    image: inout NetworkWeights, control: inout NetworkWeights
  ) throws(Diagnostic) -> Graph {
    var b = ModelBuilder(Self.name)
    let states = try b.reading(&text) { (b) throws(Diagnostic) in
      try encoder.encode(TextEncoder.Shape(batch: noising.batch), in: &b)
    }
    let inputs = try noising.inputs(channels: unet.config.inChannels, in: &b.graph)
    let picture = b.graph.parameter(
      "image",
      .f32(
        noising.batch, noising.height * net.reduction, noising.width * net.reduction, net.imageChannels))
    // Before the U-Net, whose weights have the same names: the first keeps it.
    let residuals = try b.reading(&control) { (b) throws(Diagnostic) in
      try net.residuals(
        inputs.noisy, timestep: inputs.timestep, states: states, isLayerwise: false, image: picture, in: &b)
    }
    var shape = UNet.Shape(
      batch: noising.batch, height: noising.height, width: noising.width,
      tokens: encoder.config.positions)
    shape.hasControl = true
    let prediction = try b.reading(&image) { (b) throws(Diagnostic) in
      try unet.denoise(
        inputs.noisy, timestep: inputs.timestep, states: states, shape, control: residuals, in: &b)
    }
    let (loss, errors) = try noising.loss(prediction, inputs, in: &b.graph)
    return try b.graph.withGradients(
      of: loss, control.hooks.trainedInputs, results: [("loss", loss), ("errors", errors)])
  }
}

extension DiffusersModel {
  /// The step that trains a ControlNet of this model.
  ///
  /// - Throws: `FormatError` for files, `Diagnostic` for configs and tensors that do not fit.
  package func trainingModule(_ step: ControlStep, _ net: ControlNetModel) throws -> TrainingModule {
    var text = try networkWeights(.textEncoder)
    var image = try networkWeights(.unet)
    var control = NetworkWeights(net.part.table)
    control.hooks.trained = .weights
    let graph = try step.graph(
      try textEncoder(), try unet(), net.network, text: &text, image: &image, control: &control)
    let sources = try [Component.textEncoder, .unet].flatMap { component in
      let files = try weights(component).files
      return zip(files.declarations, files.files).map { (declaration: $0, source: $1) }
    }
    return TrainingModule(graph, control.hooks.trainedInputs, sources: sources)
  }
}

extension ControlNet {
  /// The network that training begins with for a U-Net.
  ///
  /// - Parameter reduction: pixels per latent, a power of two.
  package init(for unet: UNetConfig, reduction: Int) {
    // Those of the original code, as wide as the U-Net at most.
    let usual = [16, 32, 96, 256]
    let entry = unet.widths.first ?? 0
    self.init(
      unet,
      hintWidths: (0...reduction.trailingZeroBitCount).map { min(entry, usual[min($0, usual.count - 1)]) })
  }

  /// What the network asks of its files.
  package func requests() throws(Diagnostic) -> WeightRequests {
    var recording = NetworkWeights(recording: Self.name)
    _ = try graph(Shape(height: 1, width: 1, tokens: 1), &recording)
    return recording.requests
  }

  /// What a weight is filled with that the U-Net does not have: convolutions that read the image as PyTorch
  /// has them, zeros where the network's results leave it. Source: diffusers `ControlNetModel`.
  ///
  /// - Parameter shapes: the shapes of all tensors by name.
  package static func filling(_ name: String, _ shapes: [String: [Int]]) -> WeightInitialisation.Filling {
    let leaves = !name.hasPrefix("\(hintPath).") || name.hasPrefix("\(hintPath).conv_out.")
    return leaves ? .constant(0) : WeightInitialisation.torch(name, shapes)
  }
}
