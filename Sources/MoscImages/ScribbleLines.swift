import Foundation

/// Thick white strokes where a picture is darker than what is around it.
///
/// A pixel is marked where `2·min_c(G₅∗I − G½∗I) > 32`, with Gaussians of σ 5 and ½ and the border mirrored
/// at its last pixel: the extended difference of Gaussians with the numbers of the web UI's `scribble_xdog`.
/// Source: Winnemöller et al. 2012.
package struct ScribbleLines: Sendable {
  /// The least doubled difference that is a stroke.
  package var threshold: Float = 32

  package init() {}

  /// White strokes on black, one channel.
  package func callAsFunction(_ image: PixelImage) -> PixelImage {
    let (w, h) = (image.width, image.height)
    let colours = image.channels == 4 ? 3 : image.channels
    var least = [Float](repeating: .infinity, count: w * h)
    for c in 0..<colours {
      var plane = [Float](repeating: 0, count: w * h)
      for place in plane.indices { plane[place] = Float(image.pixels[place * image.channels + c]) }
      let (fine, coarse) = (Self.blurred(plane, w, h, 0.5), Self.blurred(plane, w, h, 5))
      for place in least.indices { least[place] = min(least[place], coarse[place] - fine[place]) }
    }
    // The difference becomes a byte on the way, as `255 − ⌊255 − d⌋`.
    let pixels = least.map { difference -> UInt8 in
      let byte = 255 - min(max(255 - difference, 0), 255).rounded(.down)
      return 2 * byte > threshold ? 255 : 0
    }
    return PixelImage(width: w, height: h, channels: 1, pixels: pixels)
  }

  /// A plane under a Gaussian of `8σ + 1` taps, an odd number, as OpenCV takes them for floats.
  private static func blurred(_ plane: [Float], _ w: Int, _ h: Int, _ sigma: Double) -> [Float] {
    let radius = (Int((sigma * 8 + 1).rounded()) | 1) / 2
    let weights = (-radius...radius).map { exp(-Double($0 * $0) / (2 * sigma * sigma)) }
    let sum = weights.reduce(0, +)
    let kernel = weights.map { Float($0 / sum) }
    let rows = filtered(plane, along: w, step: 1, lines: h, lineStep: w, kernel)
    return filtered(rows, along: h, step: w, lines: w, lineStep: 1, kernel)
  }

  /// A plane under a kernel along one of its axes; the border is mirrored without its last pixel.
  private static func filtered(
    _ plane: [Float], along count: Int, step: Int, lines: Int, lineStep: Int, _ kernel: [Float]
  ) -> [Float] {
    let radius = kernel.count / 2
    let period = max(1, 2 * count - 2)
    func mirrored(_ place: Int) -> Int {
      let inside = ((place % period) + period) % period
      return inside < count ? inside : period - inside
    }
    let sources = (0..<count).map { place in (-radius...radius).map { mirrored(place + $0) * step } }
    var result = plane
    plane.withUnsafeBufferPointer { source in
      for line in 0..<lines {
        let base = line * lineStep
        for place in 0..<count {
          var sum: Float = 0
          for (tap, offset) in sources[place].enumerated() { sum += kernel[tap] * source[base + offset] }
          result[base + place * step] = sum
        }
      }
    }
    return result
  }
}
