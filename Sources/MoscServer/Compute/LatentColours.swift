import MoscFormats
import MoscImages
import Synchronization

/// Small pictures of latents by a linear map per model, a pixel per latent.
///
/// The map is the least-squares fit of the model's own decoded latents, `colour = W · [latents, 1]`; before
/// the first picture of a model, the web UI's factors for Stable Diffusion 1 stand in for models of four latent
/// channels. Source of those: A1111 `modules/sd_vae_approx.py`, `cheap_approximation`.
final class LatentColours: Sendable {
  /// Rows of three colours: one for each channel, the last constant; in −1…1.
  private let maps = Mutex<[String: [[Float]]]>([:])

  private static let stableDiffusion: [[Float]] = [
    [0.298, 0.207, 0.208], [0.187, 0.286, 0.173], [-0.158, 0.189, 0.264], [-0.184, -0.271, -0.473], [0, 0, 0],
  ]

  /// The picture of latents `[1,h,w,c]`; nil for those that no map fits.
  func image(of latents: HostArray, model: String) -> PixelImage? {
    let (height, width, channels) = (latents.shape[1], latents.shape[2], latents.shape[3])
    let map = maps.withLock { $0[model] } ?? Self.stableDiffusion
    guard map.count == channels + 1 else { return nil }
    let values = latents.floats
    var pixels: [UInt8] = []
    pixels.reserveCapacity(height * width * 3)
    for cell in 0..<height * width {
      for colour in 0..<3 {
        var sum = map[channels][colour]
        for channel in 0..<channels { sum += values[cell * channels + channel] * map[channel][colour] }
        let share = sum.isFinite ? min(max(sum / 2 + 0.5, 0), 1) : 0
        pixels.append(UInt8((share * 255).rounded()))
      }
    }
    return PixelImage(width: width, height: height, pixels: pixels)
  }

  /// Learns the map of a model from a picture and its latents, unless it is known.
  func learn(_ image: PixelImage, _ latents: HostArray, model: String) {
    guard maps.withLock({ $0[model] }) == nil else { return }
    let (height, width, channels) = (latents.shape[1], latents.shape[2], latents.shape[3])
    let (factor, count) = (image.width / width, channels + 1)
    let (values, rgb) = (latents.floats, image.rgb)
    // Normal equations: AᵀA W = AᵀB, with a little on the diagonal so that they can be solved.
    var left = [[Double]](repeating: [Double](repeating: 0, count: count), count: count)
    var right = [[Double]](repeating: [0, 0, 0], count: count)
    for y in 0..<height {
      for x in 0..<width {
        let row = (0..<channels).map { Double(values[(y * width + x) * channels + $0]) } + [1]
        let colour = Self.mean(rgb, x * factor, y * factor, factor)
        for i in 0..<count {
          for j in 0..<count { left[i][j] += row[i] * row[j] }
          for k in 0..<3 { right[i][k] += row[i] * colour[k] }
        }
      }
    }
    for i in 0..<count { left[i][i] += 1e-3 * Double(height * width) }
    let map = Self.solved(&left, &right).map { $0.map(Float.init) }
    guard map.joined().allSatisfy(\.isFinite) else { return }
    maps.withLock { $0[model] = map }
  }

  /// The mean colour of a square of pixels, in −1…1.
  private static func mean(_ image: PixelImage, _ left: Int, _ top: Int, _ side: Int) -> [Double] {
    var sums = [0.0, 0, 0]
    for y in top..<top + side {
      for x in left..<left + side {
        for k in 0..<3 { sums[k] += Double(image.pixels[(y * image.width + x) * 3 + k]) }
      }
    }
    return sums.map { $0 / Double(side * side) / 127.5 - 1 }
  }

  /// Gauss–Jordan elimination of a positive-definite system.
  private static func solved(_ left: inout [[Double]], _ right: inout [[Double]]) -> [[Double]] {
    for i in left.indices {
      let pivot = left[i][i]
      left[i] = left[i].map { $0 / pivot }
      right[i] = right[i].map { $0 / pivot }
      for j in left.indices where j != i {
        let factor = left[j][i]
        for k in left.indices { left[j][k] -= factor * left[i][k] }
        for k in right[j].indices { right[j][k] -= factor * right[i][k] }
      }
    }
    return right
  }
}
