import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

/// Pictures as the autoencoder's encoder sees them: mean and log-variance of every latent.
///
/// `Float` keeps what the encoder gave: the few pictures of a concept, whose runs are compared with
/// the official trainer's. `Float16` takes half the memory: the thousands of pretraining, which keeps
/// them in a file, too. Runs of either kind would give other bits with the other's numbers.
struct EncodedPictures<Number: BinaryFloatingPoint & Sendable>: Sendable {
  /// For every picture, h·w·2c numbers: of each pixel first the means, then the log-variances.
  let moments: [[Number]]
  /// Channels of the latents.
  let channels: Int

  /// The latents of a picture drawn from their distribution:
  /// `factor · (mean + exp(½·logvar)·noise)`, the log-variance cut to −30…20. Source: diffusers,
  /// `DiagonalGaussianDistribution`.
  ///
  /// - Parameter noise: h·w·c standard-normal numbers; nil for the mean.
  func latents(_ picture: Int, noise: ArraySlice<Float>?, factor: Float) -> [Float] {
    let numbers = moments[picture]
    var result: [Float] = []
    result.reserveCapacity(numbers.count / 2)
    for pixel in stride(from: 0, to: numbers.count, by: 2 * channels) {
      for channel in 0..<channels {
        var value = Float(numbers[pixel + channel])
        if let noise {
          let logVariance = min(20, max(-30, Float(numbers[pixel + channels + channel])))
          value += exp(0.5 * logVariance) * noise[noise.startIndex + result.count]
        }
        result.append(factor * value)
      }
    }
    return result
  }

  /// One over the standard deviation of the means of some pictures.
  func scalingFactor(_ pictures: [Int]) -> Double {
    var (sum, square, count) = (0.0, 0.0, 0.0)
    for picture in pictures {
      for value in latents(picture, noise: nil, factor: 1) {
        sum += Double(value)
        square += Double(value) * Double(value)
        count += 1
      }
    }
    let variance = square / max(1, count) - (sum / max(1, count)) * (sum / max(1, count))
    return variance > 0 ? 1 / variance.squareRoot() : 1
  }
}

/// The encoder of a model's autoencoder, compiled once for every size of pictures.
final class PictureEncoder {
  private let components: ModelComponents
  /// Pictures that are encoded together.
  let batch: Int
  private var programs: [[Int]: Program] = [:]

  init(_ components: ModelComponents, batch: Int) {
    self.components = components
    self.batch = batch
  }

  /// The moments of each picture of a batch `[b,H,W,3]`.
  func moments(_ images: HostArray) throws -> [[Float]] {
    let size = Array(images.shape[1...2])
    // Made before `??`: Swift 6.3 believes that an autoclosure that makes such a case cannot throw.
    let function = ModelFunction.vaeEncoder(batch: batch, height: size[0], width: size[1])
    let program = try programs[size] ?? components.program(function)
    programs[size] = program
    guard let moments = try program.run(["image": images])["moments"]?.floats else {
      throw CommandError.failure("the VAE's encoder gave no 'moments'")
    }
    let count = moments.count / batch
    return (0..<batch).map { [Float](moments[$0 * count..<($0 + 1) * count]) }
  }
}
