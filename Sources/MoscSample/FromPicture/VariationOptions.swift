import Foundation
import MoscFormats
import MoscRandom
import MoscReport

/// Noise between that of a picture's seed and that of another: pictures that differ a little.
package struct VariationOptions: Hashable, Codable, Sendable {
  /// The other seed of the first picture; the others count on.
  package var seed: UInt64 = 0
  /// The way from one noise to the other, 0 to 1.
  package var strength = 0.0

  package init() {}

  package var isOn: Bool { strength > 0 }

  func check() throws {
    guard 0...1 ~= strength else {
      throw CommandError.usage("--subseed-strength \(strength): expected a number from 0 to 1")
    }
  }

  /// The other seed of a picture, by its place among those of one prompt.
  func seed(_ index: Int) -> UInt64 { seed &+ UInt64(index) }

  /// The initial noise of some pictures.
  ///
  /// - Parameter seeds: their other seeds.
  func noise(
    _ seeds: [UInt64], _ kind: RandomSourceKind, _ denoising: Denoising,
    _ sources: inout [any RandomSource]
  ) -> HostArray {
    let noise = denoising.noise(&sources)
    guard isOn else { return noise }
    var others = seeds.map { kind.source(seed: $0) }
    let other = denoising.noise(&others)
    return Self.between(noise.channelsFirst, other.channelsFirst, strength).channelsLast
  }

  /// Spherical interpolation between two noises `[n,c,h,w]`.
  ///
  /// With `cos ω` the cosine between two columns of a channel, `sin((1−t)·ω)/sin ω · a + sin(t·ω)/sin ω · b`;
  /// where all columns nearly agree, `t·a + (1−t)·b`. Columns are the vectors because the web UI's `slerp` takes
  /// norms over axis 1 of `[c,h,w]`.
  /// - Source: Shoemake 1985; A1111 web UI, `modules/rng.py`.
  package static func between(_ a: HostArray, _ b: HostArray, _ t: Double) -> HostArray {
    let (samples, channels, height, width) = (a.shape[0], a.shape[1], a.shape[2], a.shape[3])
    let (low, high) = (a.floats, b.floats)
    var result = low
    for sample in 0..<samples {
      // The cosine of every column of every channel.
      var cosines: [Double] = []
      func places(_ column: Int) -> [Int] {
        let start = (sample * channels + column / width) * height * width + column % width
        return (0..<height).map { start + $0 * width }
      }
      for column in 0..<channels * width {
        var (dot, first, second) = (0.0, 0.0, 0.0)
        for place in places(column) {
          dot += Double(low[place]) * Double(high[place])
          first += Double(low[place]) * Double(low[place])
          second += Double(high[place]) * Double(high[place])
        }
        cosines.append(dot / (first * second).squareRoot())
      }
      let agrees = cosines.reduce(0, +) / Double(cosines.count) > 0.9995
      for (column, cosine) in cosines.enumerated() {
        let angle = acos(min(max(cosine, -1), 1))
        let sine = sin(angle)
        let weights = agrees ? (t, 1 - t) : (sin((1 - t) * angle) / sine, sin(t * angle) / sine)
        for place in places(column) {
          result[place] = Float(weights.0 * Double(low[place]) + weights.1 * Double(high[place]))
        }
      }
    }
    return HostArray(result, shape: a.shape)
  }
}
