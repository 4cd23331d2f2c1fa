import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscRandom
import MoscReport

/// The pictures of a concept's dataset with their masks, encoded once before training.
///
/// A picture whose transforms draw is encoded in several variants, from which steps choose; the VAE
/// is gone when training starts.
package struct DatasetLatents {
  /// A variant of a picture: its place among the encoded ones, and its masks.
  struct Entry {
    var picture: Int
    /// Where the concept is, and where the picture is, `[h·w]`.
    var mask: [Double]
    var imageMask: [Double]
  }

  /// The variants of every picture.
  let entries: [[Entry]]
  let height: Int
  let width: Int
  private let encoded: EncodedPictures<Float>
  private let scale: Float

  /// Encodes a dataset.
  ///
  /// - Throws: `FormatError` for pictures that come out in different sizes.
  init(
    _ dataset: Dataset, variants: Int, seed: RunSeed, _ model: DiffusersModel,
    _ compiler: Compiler
  ) throws {
    let config = try model.vae().config
    let encoder = PictureEncoder(ModelComponents(model, compiler), batch: 1)
    var size: (height: Int, width: Int)?
    var moments: [[Float]] = []
    var known: [TrainingImage: [Entry]] = [:]
    let distinct = Set(dataset.images).count
    for (index, image) in dataset.images.enumerated() where known[image] == nil {
      known[image] = try (0..<(dataset.drawsPicture(index) ? variants : 1)).map { variant in
        try Interruption.check()
        var random = TransformRandom(seed: seed.generator(.picture, index, variant))
        let sample = try dataset.sample(index, &random)
        let expected = size ?? (sample.height, sample.width)
        guard (sample.height, sample.width) == expected else {
          throw FormatError(
            image.image.path, nil,
            "comes out as \(sample.width)x\(sample.height), the others as "
              + "\(expected.width)x\(expected.height); all pictures of a batch need one size")
        }
        size = expected
        moments += try encoder.moments(
          HostArray(sample.image, shape: [1, sample.height, sample.width, 3]))
        return Entry(
          picture: moments.count - 1, mask: sample.mask ?? sample.imageMask,
          imageMask: sample.imageMask)
      }
      compiler.reporter.progress(.encode, "pictures", done: known.count, of: distinct)
    }
    entries = dataset.images.map { known[$0] ?? [] }
    encoded = EncodedPictures(moments: moments, channels: config.latentChannels)
    scale = Float(config.scalingFactor)
    let pixels = size ?? (0, 0)
    (height, width) = (pixels.height / config.downsampling, pixels.width / config.downsampling)
  }

  /// Channels of the latents.
  var channels: Int { encoded.channels }

  /// The scaled latents of a variant, drawn with standard-normal numbers.
  func latents(_ entry: Entry, _ noise: [Float]) -> [Float] {
    encoded.latents(entry.picture, noise: noise[...], factor: scale)
  }
}
