import Foundation

extension PixelImage {
  /// The picture with the marked pixels painted over by the colours around them.
  ///
  /// What is not marked is blurred more and more finely, and each finer blur is laid over the ones before, so that
  /// far from the edge the widest decides. Radii and repetitions are the A1111 web UI's for its masked content
  /// "fill". A picture that is marked all over becomes grey.
  ///
  /// - Parameter mask: one channel of the same size; 255 is painted over wholly.
  package func filled(where mask: PixelImage) -> PixelImage {
    guard channels == 3, mask.width == width, mask.height == height, mask.channels == 1 else { return self }
    let count = width * height
    // Red, green, blue, each times opacity, and opacity.
    var planes = [[Float]](repeating: [Float](repeating: 0, count: count), count: 4)
    for i in 0..<count {
      let opacity = 1 - Float(mask.pixels[i]) / 255
      planes[3][i] = opacity
      for c in 0..<3 { planes[c][i] = opacity * Float(pixels[3 * i + c]) }
    }
    var sums = [[Float]](repeating: [Float](repeating: 0, count: count), count: 4)
    for (radius, times) in [(256.0, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1)] {
      let layer = planes.map { BoxBlur(sigma: radius).applied(to: $0, width, height) }
      for _ in 0..<times {
        for i in 0..<count {
          let rest = 1 - layer[3][i]
          for c in 0..<4 { sums[c][i] = layer[c][i] + rest * sums[c][i] }
        }
      }
    }
    var result = self
    for i in 0..<count where mask.pixels[i] > 0 {
      for c in 0..<3 {
        let value = sums[3][i] > 1e-6 ? sums[c][i] / sums[3][i] : 127.5
        result.pixels[3 * i + c] = UInt8(clamping: Int(value.rounded()))
      }
    }
    return result
  }
}

/// A Gauss blur of any width in the same time: three averages over a window, whose ends count in part.
///
/// With v = σ²/3 the variance of one average, l = ⌊(√(12v + 1) − 1)/2⌋ whole pixels lie on each side, and the ones
/// beyond count `(2l + 1)(l(l + 1) − 3v) / (6(v − (l + 1)²))`, which makes the variance exact. Beyond the border the last pixel is repeated.
/// Source: Gwosdek et al. 2011 (extended box filters).
package struct BoxBlur {
  /// Whole pixels on each side of the centre, and the weight of the one beyond.
  private let reach: Int
  private let part: Float

  package init(sigma: Double) {
    let variance = sigma * sigma / 3
    let whole = (((12 * variance + 1).squareRoot() - 1) / 2).rounded(.down)
    let next = (whole + 1) * (whole + 1)
    reach = Int(whole)
    part = Float((2 * whole + 1) * (whole * (whole + 1) - 3 * variance) / (6 * (variance - next)))
  }

  package func applied(to plane: [Float], _ width: Int, _ height: Int) -> [Float] {
    if reach == 0 && part == 0 { return plane }
    var result = plane
    for _ in 0..<3 {
      for y in 0..<height { average(&result, from: y * width, step: 1, count: width) }
      for x in 0..<width { average(&result, from: x, step: width, count: height) }
    }
    return result
  }

  private func average(_ values: inout [Float], from start: Int, step: Int, count: Int) {
    let line = (0..<count).map { values[start + $0 * step] }
    func at(_ i: Int) -> Float { line[min(max(i, 0), count - 1)] }
    // A running sum in double, since windows are long and differences many.
    var sum = 0.0
    for i in -reach...reach { sum += Double(at(i)) }
    let scale = 1 / (Float(2 * reach + 1) + 2 * part)
    for i in 0..<count {
      values[start + i * step] = (Float(sum) + part * (at(i - reach - 1) + at(i + reach + 1))) * scale
      sum += Double(at(i + reach + 1)) - Double(at(i - reach))
    }
  }
}
