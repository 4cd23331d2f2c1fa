import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscRandom
import MoscReport

/// The pictures of a dataset as the VAE sees them, encoded once before training.
///
/// A picture whose transforms draw is encoded in several variants, from which steps choose; the VAE
/// is gone when training starts.
package struct LatentCache {
  /// A picture as latents.
  struct Entry {
    /// Mean and standard deviation of the latents, `[h·w·c]`, unscaled.
    var mean: [Float]
    var deviation: [Float]
    /// Where the concept is, and where the picture is, `[h·w]`.
    var mask: [Double]
    var imageMask: [Double]
  }

  /// The variants of every picture.
  private(set) var entries: [[Entry]] = []
  let height: Int
  let width: Int
  let channels: Int
  private let scale: Float

  /// Encodes a dataset.
  ///
  /// - Throws: `FormatError` for pictures that come out in different sizes.
  init(
    _ dataset: Dataset, variants: Int, seed: RunSeed, _ model: DiffusersModel,
    _ compiler: Compiler
  ) throws {
    let config = try model.vae().config
    let reporter = compiler.reporter
    scale = Float(config.scalingFactor)
    channels = config.latentChannels
    var size: (height: Int, width: Int)?
    var program: Program?
    var encoded: [TrainingImage: [Entry]] = [:]
    let distinct = Set(dataset.images).count
    for (index, image) in dataset.images.enumerated() {
      if let known = encoded[image] {
        entries.append(known)
        continue
      }
      var result: [Entry] = []
      for variant in 0..<(dataset.drawsPicture(index) ? variants : 1) {
        try Interruption.check()
        var random = TransformRandom(seed: seed(.picture, index, variant))
        let sample = try dataset.sample(index, &random)
        let expected = size ?? (sample.height, sample.width)
        guard (sample.height, sample.width) == expected else {
          throw FormatError(
            image.image.path, nil,
            "comes out as \(sample.width)x\(sample.height), the others as "
              + "\(expected.width)x\(expected.height); all pictures of a batch need one size")
        }
        size = expected
        let encoder =
          try program
          ?? ModelComponents(model, compiler).program(
            .vaeEncoder(batch: 1, height: sample.height, width: sample.width))
        program = encoder
        result.append(try Self.entry(sample, encoder, channels))
      }
      encoded[image] = result
      entries.append(result)
      reporter.progress(.encode, "pictures", done: encoded.count, of: distinct)
    }
    let pixels = size ?? (0, 0)
    (height, width) = (pixels.height / config.downsampling, pixels.width / config.downsampling)
  }

  private static func entry(
    _ sample: TrainingSample, _ encoder: Program, _ channels: Int
  ) throws -> Entry {
    let image = TensorValue([1, sample.height, sample.width, 3], sample.image)
    guard let moments = try encoder.run(["image": image])["moments"]?.floats else {
      throw CommandError.failure("the VAE's encoder gave no 'moments'")
    }
    var entry = Entry(
      mean: [], deviation: [], mask: sample.mask ?? sample.imageMask, imageMask: sample.imageMask)
    for pixel in 0..<moments.count / (2 * channels) {
      let start = pixel * 2 * channels
      entry.mean += moments[start..<start + channels]
      // Source: diffusers `DiagonalGaussianDistribution`.
      entry.deviation += moments[start + channels..<start + 2 * channels].map {
        exp(0.5 * min(20, max(-30, $0)))
      }
    }
    return entry
  }

  /// Latents drawn from the posterior of an entry: `scale · (mean + deviation · draw)`.
  func latents(_ entry: Entry, _ draw: [Float]) -> [Float] {
    entry.mean.indices.map { scale * (entry.mean[$0] + entry.deviation[$0] * draw[$0]) }
  }
}
