import Foundation
import MoscFormats

/// How latents of a larger picture are found between latents.
///
/// Source: `torch.nn.functional.interpolate` with `align_corners=False`.
package enum LatentFilter: String, CaseIterable, Hashable, Codable, Sendable {
  case nearest
  /// The latent that covers the centre of the new one.
  case nearestExact = "nearest-exact"
  case bilinear
  /// Keys' cubic with a = −0.75, latents beyond the edge being those at the edge.
  case bicubic
  /// With filters that become wider when the picture becomes smaller, and end at the edge; as Pillow's.
  case antialiasedBilinear = "antialiased"
  /// Likewise, with a = −0.5.
  case antialiasedBicubic = "bicubic antialiased"

  /// Latents `[n,h,w,c]` in another size.
  ///
  /// - Parameter rings: the axes along which the latents go on at the opposite edge.
  package func resized(_ latents: HostArray, height: Int, width: Int, rings: [Int] = []) -> HostArray {
    let shape = latents.shape
    let rows = taps(from: shape[1], to: height, isRing: rings.contains(1))
    let columns = taps(from: shape[2], to: width, isRing: rings.contains(2))
    let line = shape[2] * shape[3]
    let tall = apply(rows, latents.floats, lines: shape[0], old: shape[1], inner: line)
    let wide = apply(columns, tall, lines: shape[0] * height, old: shape[2], inner: shape[3])
    return HostArray(wide, shape: [shape[0], height, width, shape[3]])
  }

  /// Where each new element comes from, with its weights.
  private func taps(from old: Int, to new: Int, isRing: Bool) -> [[(place: Int, weight: Float)]] {
    let scale = Double(old) / Double(new)
    return (0..<new).map { index in
      let raw = taps(index, scale, old)
      if isRing { return raw.map { (($0.place % old + old) % old, Float($0.weight)) } }
      switch self {
      case .antialiasedBilinear, .antialiasedBicubic:
        let inside = raw.filter { 0..<old ~= $0.place }
        let sum = inside.reduce(0) { $0 + $1.weight }
        return inside.map { ($0.place, Float($0.weight / sum)) }
      default: return raw.map { (min(max($0.place, 0), old - 1), Float($0.weight)) }
      }
    }
  }

  /// The same on an axis without end; weights add up to 1, but for antialiased ones.
  private func taps(_ index: Int, _ scale: Double, _ old: Int) -> [(place: Int, weight: Double)] {
    let center = (Double(index) + 0.5) * scale
    switch self {
    case .nearest: return [(Int((Double(index) * scale).rounded(.down)), 1)]
    case .nearestExact: return [(Int(center.rounded(.down)), 1)]
    case .bilinear: return around(center - 0.5, 1) { max(0, 1 - abs($0)) }
    case .bicubic: return around(center - 0.5, 2) { Self.cubic($0, -0.75) }
    case .antialiasedBilinear, .antialiasedBicubic:
      let stretch = max(scale, 1)
      let support = (self == .antialiasedBilinear ? 1 : 2) * stretch
      // The first and the last pixel whose centre the filter reaches.
      let (first, end) = (Int((center - support + 0.5).rounded(.down)), Int((center + support + 0.5).rounded(.down)))
      let found = (first..<end).map { place -> (place: Int, weight: Double) in
        let distance = (Double(place) - center + 0.5) / stretch
        return (place, self == .antialiasedBilinear ? max(0, 1 - abs(distance)) : Self.cubic(distance, -0.5))
      }
      let sum = found.reduce(0) { $0 + $1.weight }
      return found.map { ($0.place, $0.weight / sum) }
    }
  }

  private func around(
    _ position: Double, _ reach: Int, _ weight: (Double) -> Double
  ) -> [(place: Int, weight: Double)] {
    let first = Int(position.rounded(.down)) - reach + 1
    return (first..<first + 2 * reach).map { ($0, weight(Double($0) - position)) }
  }

  private static func cubic(_ distance: Double, _ a: Double) -> Double {
    let x = abs(distance)
    if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
    return 0
  }

  /// Resizes the middle axis of `[lines, old, inner]`.
  private func apply(
    _ taps: [[(place: Int, weight: Float)]], _ values: [Float], lines: Int, old: Int, inner: Int
  ) -> [Float] {
    var result = [Float](repeating: 0, count: lines * taps.count * inner)
    values.withUnsafeBufferPointer { values in
      result.withUnsafeMutableBufferPointer { result in
        for line in 0..<lines {
          for (index, list) in taps.enumerated() {
            let target = (line * taps.count + index) * inner
            for (place, weight) in list {
              let source = (line * old + place) * inner
              for element in 0..<inner { result[target + element] += weight * values[source + element] }
            }
          }
        }
      }
    }
    return result
  }
}
