import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscRandom
import MoscReport
import MoscSample

/// The denoising loss of a model on pictures that it was not trained on, always with the same noise at the
/// same timesteps, so that two models or two steps of a run compare.
///
///     loss = mean over pictures, timesteps and pixels of (prediction − target)²
///
/// with x_t and target of Ho et al. 2020, eq. 14, or the velocity, and the mean of the encoder's distribution
/// as latents.
struct HeldOutLoss {
  /// The timesteps, as shares of the schedule.
  private static let shares = (0..<8).map { (Double($0) + 0.5) / 8 }

  private let pictures: [(prompt: String, values: [Float])]
  private let side: Int
  private let random: RunSeed

  /// Reads captioned pictures, brought to the side that the model was trained at.
  init(_ path: String, _ model: DiffusersModel, _ caption: Caption, seed: UInt64) throws {
    side = try model.trainedSize()
    random = RunSeed(seed)
    var pictures: [(String, [Float])] = []
    for url in try PictureFolder.files(path) {
      let text = url.deletingPathExtension().appendingPathExtension("txt")
      let line = String(try TextFile.read(text.path).textLines.first ?? "")
      let picture = try ImageFile.read(url).rgb.framed(edge: side, crop: side)
      pictures.append((try caption.prompt(line), picture.pixels.map { Float($0) / 127.5 - 1 }))
    }
    self.pictures = pictures
  }

  /// The loss of every picture.
  func values(_ components: ModelComponents) throws -> [Double] {
    let model = components.model
    let vae = try model.vae().config
    let config = try SchedulerConfig(of: model)
    let schedule = NoiseSchedule(config)
    let encoder = try PromptEncoder(components, skippedLayers: 0, components.compiler.reporter)
    let states = try encoder.encode(Set(pictures.map(\.prompt)))
    let latentSide = side / vae.downsampling
    let encode = try components.program(.vaeEncoder(batch: 1, height: side, width: side))
    let shape = UNet.Shape(
      height: latentSide, width: latentSide, tokens: try states.tokens(pictures.map(\.prompt)),
      isLayerwise: states.layers != nil)
    let unet = try components.program(.unet(shape))
    let channels = vae.latentChannels
    let count = latentSide * latentSide * channels
    return try pictures.enumerated().map { number, picture in
      try Interruption.check()
      let image = HostArray(picture.values, shape: [1, side, side, 3])
      guard let moments = try encode.run(["image": image])["moments"]?.floats else {
        throw CommandError.failure("the VAE's encoder gave no 'moments'")
      }
      // The means stand before the log-variances of each pixel.
      let latents = (0..<count).map { place in
        moments[place / channels * 2 * channels + place % channels] * Float(vae.scalingFactor)
      }
      try unet.set(["encoder_hidden_states": try states.context([picture.prompt], tokens: shape.tokens)])
      var sum = 0.0
      for (index, share) in Self.shares.enumerated() {
        let timestep = Int(share * Double(schedule.alphas.count))
        let noise = random.normals(.noise, number * Self.shares.count + index, count)
        let noisy = schedule.noisy(latents, noise: noise, timestep: timestep)
        let target: [Float]
        switch config.prediction {
        case .epsilon: target = noise
        case .velocity: target = schedule.velocity(latents, noise: noise, timestep: timestep)
        case .sample: target = latents
        }
        let found = try unet.run([
          "sample": HostArray(noisy, shape: [1, latentSide, latentSide, channels]),
          "timestep": HostArray([Float(timestep)], shape: [1]),
        ])
        guard let prediction = found["noise_pred"]?.floats else {
          throw CommandError.failure("the U-Net gave no 'noise_pred'")
        }
        sum += zip(prediction, target).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
      }
      return sum / Double(count * Self.shares.count)
    }
  }
}
