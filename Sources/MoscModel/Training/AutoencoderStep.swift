import MoscIR

/// One training step of the autoencoder as a function.
///
/// Function `@autoencoder_step`, with b pictures x of H×W pixels in −1…1 and latents of c channels:
///
///     z    = mean + exp(½·logvar)·noise        (logvar cut to −30…20)
///     y    = decode(z)                         d = y − x
///     loss = ⟨|d|⟩ + ½·(⟨|∂ₓd|⟩ + ⟨|∂ᵧd|⟩) + ½·⟨d²⟩ + β·KL
///     KL   = ½·⟨mean² + exp(logvar) − 1 − logvar⟩
///
/// with ⟨·⟩ the mean over all elements and ∂ the difference of neighbouring pixels, which keeps
/// edges sharp. When only the decoder is trained, z is the parameter `latents` and there is no KL.
///
/// - Parameters of the function: `image` `f32[b,H,W,3]`; `noise` or `latents` `f32[b,h,w,c]`, not
///   scaled; the trained weights.
/// - Results: `loss`, `square` (⟨d²⟩) `f32[1]`, and `grad.NAME` for every trained weight.
/// - Source: Kingma & Welling 2014, eq. 10; Rombach et al. 2022, §3.1 (without its discriminator
///   and perceptual loss, which need other networks).
package struct AutoencoderStep: Hashable, Sendable {
  package var batch: Int
  /// Height and width in pixels.
  package var height: Int
  package var width: Int
  /// Whether the encoder is trained too.
  package var trainsEncoder: Bool
  /// β, the weight of the latents' distance from unit noise.
  package var divergenceWeight: Double

  package init(
    batch: Int, height: Int, width: Int, trainsEncoder: Bool, divergenceWeight: Double = 3e-4
  ) {
    self.batch = batch
    self.height = height
    self.width = width
    self.trainsEncoder = trainsEncoder
    self.divergenceWeight = divergenceWeight
  }

  /// The name of the function.
  package static let name = "autoencoder_step"

  /// The IR of the step, its gradients requested.
  ///
  /// - Errors: those of the network; `model.size` for pictures that latents do not divide.
  func graph(_ vae: VAE, _ weights: inout NetworkWeights) throws(Diagnostic) -> Graph {
    let factor = vae.config.downsampling
    for (name, size) in [("height", height), ("width", width)] where size % factor != 0 {
      throw Diagnostic(
        "model.size", "the pictures' \(name) is \(size), expected a multiple of \(factor)")
    }
    var b = ModelBuilder(Self.name, weights)
    let image = b.graph.parameter("image", .f32(batch, height, width, vae.config.inChannels))
    let type = TensorType.f32(
      batch, height / factor, width / factor, vae.config.latentChannels)
    var divergence: ValueID?
    let latents: ValueID
    if trainsEncoder {
      let noise = b.graph.parameter("noise", type)
      let moments = try Moments(try vae.encode(image, in: &b), in: &b.graph)
      latents = try b.graph.add(
        moments.mean, try b.graph.mul(moments.deviation, noise), name: "latents")
      divergence = try moments.divergence(in: &b.graph)
    } else {
      latents = b.graph.parameter("latents", type)
    }
    let picture = try vae.decode(latents, in: &b)
    weights = b.weights

    let difference = try b.graph.sub(picture, image)
    let square = try b.graph.mean(try b.graph.mul(difference, difference))
    var loss = try b.graph.mean(try b.graph.abs(difference))
    for axis in [1, 2] {
      let extent = b.type(difference).shape[axis]
      let step = try b.graph.sub(
        try b.graph.slice(difference, axis: axis, from: 1, to: extent),
        try b.graph.slice(difference, axis: axis, from: 0, to: extent - 1))
      loss = try b.graph.add(loss, try b.graph.mean(try b.graph.abs(step), times: 0.5))
    }
    loss = try b.graph.add(loss, try b.graph.mul(square, try b.graph.constant(0.5, .f32(1))))
    if let divergence {
      let weight = try b.graph.constant(divergenceWeight, .f32(1))
      loss = try b.graph.add(loss, try b.graph.mul(divergence, weight))
    }
    return try b.graph.withGradients(
      of: loss, weights.hooks.trainedInputs, results: [("loss", loss), ("square", square)])
  }
}

/// The distribution of latents that the encoder gives.
private struct Moments {
  let mean: ValueID
  let logVariance: ValueID
  /// `exp(½·logvar)`.
  let deviation: ValueID

  init(_ moments: ValueID, in g: inout Graph) throws(Diagnostic) {
    let channels = g.type(moments).lastExtent / 2
    mean = try g.slice(moments, axis: 3, from: 0, to: channels)
    let raw = try g.slice(moments, axis: 3, from: channels, to: 2 * channels)
    let low = try g.constant(-30, .f32(1, 1, 1, 1))
    let high = try g.constant(20, .f32(1, 1, 1, 1))
    logVariance = try g.minimum(try g.maximum(raw, low), high)
    deviation = try g.exp(try g.mul(logVariance, try g.constant(0.5, .f32(1, 1, 1, 1))))
  }

  /// `½·⟨mean² + exp(logvar) − 1 − logvar⟩`, `[1]`.
  func divergence(in g: inout Graph) throws(Diagnostic) -> ValueID {
    let variance = try g.mul(deviation, deviation)
    let sum = try g.add(try g.mul(mean, mean), try g.sub(variance, logVariance))
    return try g.mean(try g.sub(sum, try g.constant(1, .f32(1, 1, 1, 1))), times: 0.5)
  }
}

extension Graph {
  /// `factor` times the mean of all elements of `[n,h,w,c]`, as `[1]`.
  fileprivate mutating func mean(
    _ x: ValueID, times factor: Double = 1
  ) throws(Diagnostic) -> ValueID {
    let sum = try reshape(try reduceSum(x, axes: [0, 1, 2, 3]), to: [1])
    return try mul(sum, try constant(factor / Double(type(x).count), .f32(1)))
  }
}

extension DiffusersModel {
  /// The step that trains the autoencoder, or its decoder.
  ///
  /// - Throws: `FormatError` for files, `Diagnostic` for configs and tensors that do not fit.
  package func trainingModule(_ step: AutoencoderStep) throws -> TrainingModule {
    var weights = try networkWeights(.vae, training: .weights)
    let graph = try step.graph(try vae(), &weights)
    return TrainingModule(graph, weights.hooks.trainedInputs)
  }
}
