import Foundation
import MoscFormats

/// How the pixels between pixels are found when a picture changes its size.
package enum ResamplingFilter: String, CaseIterable, Hashable, Codable, Sendable {
  /// The pixel that covers the centre of the new one.
  case nearest
  /// A triangle over two pixels.
  case bilinear
  /// Keys' cubic with a = −0.5 over four pixels.
  case bicubic
  /// A windowed sinc over six pixels.
  case lanczos

  /// The distance from the centre at which the filter ends, in source pixels when enlarging.
  var support: Double {
    switch self {
    case .nearest: 0
    case .bilinear: 1
    case .bicubic: 2
    case .lanczos: 3
    }
  }

  /// The weight of a pixel at a distance from the centre.
  func weight(_ distance: Double) -> Double {
    let x = abs(distance)
    switch self {
    case .nearest:
      return 1
    case .bilinear:
      return x < 1 ? 1 - x : 0
    case .bicubic:
      let a = -0.5
      if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
      if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
      return 0
    case .lanczos:
      // The interval is half open, as in the reference.
      guard -3 <= distance, distance < 3 else { return 0 }
      return Self.sinc(distance) * Self.sinc(distance / 3)
    }
  }

  /// `sin(πx) / (πx)`.
  private static func sinc(_ x: Double) -> Double {
    x == 0 ? 1 : sin(x * .pi) / (x * .pi)
  }
}

extension PixelImage {
  /// The picture in another size, with the bytes that Pillow's `Image.resize` makes of it.
  ///
  /// Rows first, then columns, each rounded to 8 bits: `y = clamp((2²¹ + Σ wᵢ xᵢ) >> 22)` with
  /// weights in 22-bit fixed point. When shrinking, the filter is stretched by the scale
  /// (antialiasing). Channels are treated alike: transparency does not weigh colours.
  /// Source: Pillow, `src/libImaging/Resample.c` and, for nearest, `Geometry.c`.
  package func resized(
    width newWidth: Int, height newHeight: Int, _ filter: ResamplingFilter
  ) throws(FormatError) -> PixelImage {
    guard newWidth > 0, newHeight > 0, width > 0, height > 0,
      pixels.count == width * height * channels
    else {
      throw FormatError(
        "picture", nil,
        "cannot resize \(width)x\(height) with \(pixels.count) bytes to \(newWidth)x\(newHeight)")
    }
    // The rows come first, so there is a picture of the new width and the old height.
    guard Self.isBounded(newWidth, max(height, newHeight)) else {
      throw FormatError(
        "picture", nil,
        "cannot resize \(width)x\(height) to \(newWidth)x\(newHeight): expected at most "
          + "\(Self.mostPixels) pixels")
    }
    if newWidth == width, newHeight == height { return self }
    if filter == .nearest { return nearest(newWidth, newHeight) }
    var result = self
    if newWidth != width {
      let taps = ResamplingTaps(from: width, to: newWidth, filter)
      result.pixels = taps.applied(
        to: pixels, lines: height, lineStride: width * channels, step: channels, inner: channels)
      result.width = newWidth
    }
    if newHeight != height {
      let taps = ResamplingTaps(from: height, to: newHeight, filter)
      let row = newWidth * channels
      result.pixels = taps.applied(
        to: result.pixels, lines: 1, lineStride: row * height, step: row, inner: row)
      result.height = newHeight
    }
    return result
  }

  private func nearest(_ newWidth: Int, _ newHeight: Int) -> PixelImage {
    // The reference adds up the step, and so does this: the roundings decide ties.
    func sources(_ old: Int, _ new: Int) -> [Int] {
      let scale = Double(old) / Double(new)
      var position = scale * 0.5
      return (0..<new).map { _ in
        defer { position += scale }
        return min(Int(position), old - 1)
      }
    }
    let columns = sources(width, newWidth)
    var result: [UInt8] = []
    result.reserveCapacity(newWidth * newHeight * channels)
    for y in sources(height, newHeight) {
      for x in columns {
        let start = (y * width + x) * channels
        result.append(contentsOf: pixels[start..<start + channels])
      }
    }
    return PixelImage(width: newWidth, height: newHeight, channels: channels, pixels: result)
  }
}

/// The weights that make each pixel of a resized line out of a run of the old ones.
struct ResamplingTaps {
  /// The first old pixel of each new one.
  private var starts: [Int] = []
  /// The end of each new pixel's weights in `weights`.
  private var ends: [Int] = []
  /// Weights in units of 2⁻²².
  private var weights: [Int] = []

  private static let precision = 22

  init(from old: Int, to new: Int, _ filter: ResamplingFilter) {
    let scale = Double(old) / Double(new)
    let stretch = max(scale, 1)
    let support = filter.support * stretch
    let inverse = 1 / stretch
    for i in 0..<new {
      let center = (Double(i) + 0.5) * scale
      let start = max(0, Int(center - support + 0.5))
      let end = min(old, Int(center + support + 0.5))
      var line = (start..<end).map { filter.weight((Double($0) - center + 0.5) * inverse) }
      let sum = line.reduce(0, +)
      if sum != 0 { for j in line.indices { line[j] /= sum } }
      starts.append(start)
      weights += line.map { weight in
        let scaled = weight * Double(1 << Self.precision)
        return Int(weight < 0 ? scaled - 0.5 : scaled + 0.5)
      }
      ends.append(weights.count)
    }
  }

  /// Resizes the middle axis of `[lines, old, inner]` to `[lines, new, inner]`.
  ///
  /// - Parameters:
  ///   - lineStride: the bytes from one line to the next.
  ///   - step: the bytes from one old pixel to the next.
  func applied(
    to source: [UInt8], lines: Int, lineStride: Int, step: Int, inner: Int
  ) -> [UInt8] {
    let count = lines * starts.count * inner
    return [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
      source.withUnsafeBufferPointer { source in
        var position = 0
        for line in 0..<lines {
          var tap = 0
          for i in starts.indices {
            let first = line * lineStride + starts[i] * step
            for c in 0..<inner {
              var sum = 1 << (Self.precision - 1)
              var place = first + c
              for t in tap..<ends[i] {
                sum += weights[t] * Int(source[place])
                place += step
              }
              let value = UInt8(clamping: sum >> Self.precision)
              target.initializeElement(at: position, to: value)
              position += 1
            }
            tap = ends[i]
          }
        }
      }
      initialized = count
    }
  }
}
