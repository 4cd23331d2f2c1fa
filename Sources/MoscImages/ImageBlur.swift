import Foundation

extension PixelImage {
  /// The picture with every channel blurred by a Gauss kernel, `w(i) ∝ exp(−i²/2σ²)` for `|i| ≤ ⌊2.5σ + ½⌋`.
  ///
  /// Rows first, then columns, each rounded to 8 bits; beyond the border the picture is mirrored about its last
  /// pixel. Kernel and borders are those of the A1111 web UI's mask blur (OpenCV's `GaussianBlur`).
  package func blurred(sigma: Double) -> PixelImage {
    let reach = Int(2.5 * sigma + 0.5)
    guard sigma > 0, reach > 0 else { return self }
    let raw = (-reach...reach).map { exp(-Double($0 * $0) / (2 * sigma * sigma)) }
    let kernel = raw.map { Float($0 / raw.reduce(0, +)) }
    var result = self
    result.pixels = Self.convolved(
      pixels, kernel, lines: height, length: width, lineStride: width * channels, step: channels,
      inner: channels)
    result.pixels = Self.convolved(
      result.pixels, kernel, lines: 1, length: height, lineStride: 0, step: width * channels,
      inner: width * channels)
    return result
  }

  private static func convolved(
    _ source: [UInt8], _ kernel: [Float], lines: Int, length: Int, lineStride: Int, step: Int, inner: Int
  ) -> [UInt8] {
    let reach = kernel.count / 2
    var result = source
    // The places of the kernel's pixels, mirrored into the line.
    let places = (0..<length).map { i in (-reach...reach).map { mirrored(i + $0, length) } }
    for line in 0..<lines {
      for i in 0..<length {
        for c in 0..<inner {
          var sum: Float = 0
          for (tap, place) in places[i].enumerated() {
            sum += kernel[tap] * Float(source[line * lineStride + place * step + c])
          }
          result[line * lineStride + i * step + c] = UInt8(clamping: Int(sum.rounded()))
        }
      }
    }
    return result
  }

  private static func mirrored(_ place: Int, _ count: Int) -> Int {
    if count == 1 { return 0 }
    let period = 2 * (count - 1)
    let inside = ((place % period) + period) % period
    return min(inside, period - inside)
  }
}
