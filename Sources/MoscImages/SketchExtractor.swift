import Foundation
import MoscFormats

/// Draws the edges of a picture as soft white lines on black, as sketch adapters want them.
///
/// Edges are places where the gradient of a blurred picture is largest along its own direction;
/// weak ones count where they touch a strong one. Colour edges count like edges of brightness: each
/// pixel takes the channel with the strongest gradient. Source: Canny 1986.
package struct SketchExtractor: Hashable, Sendable {
  /// The standard deviation of the blur before edges are looked for, in pixels.
  package var blur: Double
  /// The contrast (0…1, of a step) from which an edge continues a stronger one.
  package var low: Double
  /// The contrast from which an edge stands for itself.
  package var high: Double
  /// The standard deviation of the profile of a line, in pixels.
  package var lineWidth: Double

  package init(
    blur: Double = 1.4, low: Double = 0.05, high: Double = 0.15, lineWidth: Double = 1
  ) {
    self.blur = blur
    self.low = low
    self.high = high
    self.lineWidth = lineWidth
  }

  /// Larger pictures would take gigabytes and minutes, and no adapter is made for them.
  private static let mostPixels = 1 << 24

  /// What is wrong with the settings; nil when nothing is.
  package var fault: String? {
    if !(0.3...50 ~= blur) { return "the blur is \(blur) pixels, expected 0.3…50" }
    if !(0.3...20 ~= lineWidth) { return "the line width is \(lineWidth) pixels, expected 0.3…20" }
    if !(low > 0 && low <= high && high <= 1) {
      return "the thresholds are \(low) and \(high), expected 0 < low ≤ high ≤ 1"
    }
    return nil
  }

  /// The sketch of a picture, in its size with one channel.
  ///
  /// - Throws: `FormatError` for settings that are out of range and pictures that are too large.
  package func callAsFunction(_ image: PixelImage) throws(FormatError) -> PixelImage {
    if let fault { throw FormatError("sketch", nil, fault) }
    guard image.width * image.height <= Self.mostPixels else {
      throw FormatError(
        "sketch", nil,
        "the picture has \(image.width)x\(image.height) pixels, expected at most \(Self.mostPixels) in all")
    }
    let gradient = gradient(of: image)
    let contrast = gradient.map { hypot($0.x, $0.y) }
    let ridges = thinned(contrast, gradient, image.width, image.height)
    let kept = connected(ridges, image.width, image.height)
    // A line fades towards the lower threshold and is white from the upper one on.
    let lines = zip(ridges, kept).map { ridge, isKept -> Float in
      isKept ? min(1, 0.4 + 0.6 * ridge / Float(high)) : 0
    }
    let soft = Plane(lines, image.width, image.height).blurred(lineWidth).values
    // The peak that a straight line keeps when it is blurred.
    let peak = Float(1 / (lineWidth * (2 * Double.pi).squareRoot()))
    let pixels = soft.map { UInt8(min(255, ($0 / min(peak, 1) * 255).rounded())) }
    return PixelImage(width: image.width, height: image.height, channels: 1, pixels: pixels)
  }

  private typealias Vector = SIMD2<Float>

  /// The gradient in contrast units: a step of height H blurred by σ has slope H/(σ√2π).
  private func gradient(of image: PixelImage) -> [Vector] {
    let unit = Float(blur * (2 * Double.pi).squareRoot() / 255)
    let (width, height) = (image.width, image.height)
    var best = [Vector](repeating: .zero, count: width * height)
    for channel in 0..<min(image.channels, 3) {
      let values = (0..<width * height).map { Float(image.pixels[$0 * image.channels + channel]) }
      let smooth = Plane(values, width, height).blurred(blur).values
      for y in 0..<height {
        let (above, below) = (max(y - 1, 0) * width, min(y + 1, height - 1) * width)
        for x in 0..<width {
          let (left, right) = (max(x - 1, 0), min(x + 1, width - 1))
          let slope = Vector(
            smooth[y * width + right] - smooth[y * width + left],
            smooth[below + x] - smooth[above + x]) * (unit / 2)
          let place = y * width + x
          if (slope * slope).sum() > (best[place] * best[place]).sum() { best[place] = slope }
        }
      }
    }
    return best
  }

  /// Keeps the contrast where both neighbours along the gradient have less.
  private func thinned(
    _ contrast: [Float], _ gradient: [Vector], _ width: Int, _ height: Int
  ) -> [Float] {
    var result = [Float](repeating: 0, count: contrast.count)
    func at(_ x: Int, _ y: Int) -> Float {
      contrast[min(max(y, 0), height - 1) * width + min(max(x, 0), width - 1)]
    }
    for y in 0..<height {
      for x in 0..<width {
        let place = y * width + x
        let here = contrast[place]
        guard here >= Float(low) else { continue }
        let g = gradient[place]
        // Between the neighbour straight ahead and the diagonal one, by the slope.
        let isFlat = abs(g.x) >= abs(g.y)
        let share = isFlat ? abs(g.y / g.x) : abs(g.x / g.y)
        let (dx, dy) = (g.x >= 0 ? 1 : -1, g.y >= 0 ? 1 : -1)
        func neighbour(_ sign: Int) -> Float {
          let straight = isFlat ? at(x + sign * dx, y) : at(x, y + sign * dy)
          return (1 - share) * straight + share * at(x + sign * dx, y + sign * dy)
        }
        // Of two equal pixels the later one stays.
        if here >= neighbour(-1), here > neighbour(1) { result[place] = here }
      }
    }
    return result
  }

  /// The ridges that hang together with one above the upper threshold.
  private func connected(_ ridges: [Float], _ width: Int, _ height: Int) -> [Bool] {
    var kept = ridges.map { $0 >= Float(high) }
    var open = kept.indices.filter { kept[$0] }
    while let place = open.popLast() {
      let (x, y) = (place % width, place / width)
      for v in max(0, y - 1)...min(height - 1, y + 1) {
        for u in max(0, x - 1)...min(width - 1, x + 1)
        where !kept[v * width + u] && ridges[v * width + u] >= Float(low) {
          kept[v * width + u] = true
          open.append(v * width + u)
        }
      }
    }
    return kept
  }
}

/// One channel of a picture in floats.
private struct Plane {
  var values: [Float]
  let width: Int
  let height: Int

  init(_ values: [Float], _ width: Int, _ height: Int) {
    self.values = values
    self.width = width
    self.height = height
  }

  /// Convolves with a Gaussian cut at three standard deviations; edges continue outwards.
  func blurred(_ deviation: Double) -> Plane {
    let reach = max(1, Int((3 * deviation).rounded(.up)))
    var kernel = (-reach...reach).map { exp(-Double($0 * $0) / (2 * deviation * deviation)) }
    let sum = kernel.reduce(0, +)
    kernel = kernel.map { $0 / sum }
    let weights = kernel.map(Float.init)
    var rows = values
    for y in 0..<height {
      for x in 0..<width {
        var total: Float = 0
        for offset in -reach...reach {
          let source = min(max(x + offset, 0), width - 1)
          total += weights[offset + reach] * values[y * width + source]
        }
        rows[y * width + x] = total
      }
    }
    var result = [Float](repeating: 0, count: rows.count)
    for y in 0..<height {
      for offset in -reach...reach {
        let source = min(max(y + offset, 0), height - 1) * width
        let weight = weights[offset + reach]
        for x in 0..<width { result[y * width + x] += weight * rows[source + x] }
      }
    }
    return Plane(result, width, height)
  }
}
