import Foundation
import MoscFormats
import MoscImages
import MoscRandom
import MoscReport

/// What the autoencoder's encoder makes of a picture: the distribution of its latents.
package struct PictureLatents: Sendable {
  /// Means, then log-variances, `[1,h,w,2c]`.
  private let moments: HostArray
  private let scalingFactor: Float

  /// Encodes a picture.
  ///
  /// - Parameters:
  ///   - pixels: red, green and blue in −1…1, `[1,H,W,3]`.
  ///   - scalingFactor: what the denoiser's latents are of the autoencoder's.
  package init(_ pixels: HostArray, _ autoencoder: Autoencoder, scalingFactor: Float) throws {
    let found = try autoencoder.encode(pixels)
    if let bad = found.floats.first(where: { !$0.isFinite }) {
      throw CommandError.failure("the VAE's encoder gave \(bad), expected numbers; try --type f32")
    }
    (moments, self.scalingFactor) = (found, scalingFactor)
  }

  /// A picture as the encoder reads it, `2·p/255 − 1`.
  package static func pixels(_ image: PixelImage) -> HostArray {
    HostArray(
      image.rgb.pixels.map { Float($0) / 255 * 2 - 1 }, shape: [1, image.height, image.width, 3])
  }

  /// Latents of one sample for each source: `factor · (mean + exp(½·logvar)·ε)`, the log-variance cut to −30…20.
  ///
  /// - Source: diffusers, `DiagonalGaussianDistribution`.
  package func drawn(_ sources: inout [any RandomSource]) -> HostArray {
    let (height, width, channels) = (moments.shape[1], moments.shape[2], moments.shape[3] / 2)
    let values = moments.floats
    return .stacked(
      sources.indices.map { index in
        let noise = HostArray(
          sources[index].normals(channels * height * width), shape: [1, channels, height, width]
        ).channelsLast.floats
        let latents = noise.enumerated().map { place, epsilon in
          let mean = place / channels * 2 * channels + place % channels
          let deviation = exp(0.5 * min(20, max(-30, values[mean + channels])))
          return scalingFactor * (values[mean] + deviation * epsilon)
        }
        return HostArray(latents, shape: [1, height, width, channels])
      })
  }
}
