import Foundation

/// Numbers at a place of a stream, without a generator.
///
/// Words are Philox-4x32-10 of the counter (place, step, stream, 0) with the seed as key. Source:
/// Salmon et al. 2011.
extension RunSeed {
  /// What numbers are drawn for.
  package enum Stream: UInt32, Sendable {
    case group, order, timestep, dropout, noise, latent, initialisation, region
    case validation = 100
  }

  private func words(_ stream: UInt32, _ step: Int, _ place: Int) -> [UInt32] {
    let counter = (
      UInt32(truncatingIfNeeded: place), UInt32(truncatingIfNeeded: step), stream, UInt32(0)
    )
    let key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    let words = PhiloxRandomSource.rounds(counter, key)
    return [words.0, words.1, words.2, words.3]
  }

  /// A number from 0 up to but not including 1.
  package func uniform(
    _ stream: Stream, _ step: Int, _ place: Int = 0, salt: UInt32 = 0
  ) -> Double {
    Double(words(stream.rawValue + salt, step, place)[0]) * 0x1p-32
  }

  /// Standard-normal numbers by Box–Muller.
  package func normals(_ stream: Stream, _ step: Int, _ count: Int, salt: UInt32 = 0) -> [Float] {
    var result: [Float] = []
    result.reserveCapacity(count + 3)
    for place in 0..<(count + 3) / 4 {
      let words = words(stream.rawValue + salt, step, place)
      for pair in [0, 2] {
        // Half a unit keeps the logarithm finite.
        let u = (Double(words[pair]) + 0.5) * 0x1p-32
        let angle = 2 * Double.pi * Double(words[pair + 1]) * 0x1p-32
        let radius = (-2 * log(u)).squareRoot()
        result.append(Float(radius * cos(angle)))
        result.append(Float(radius * sin(angle)))
      }
    }
    result.removeLast(result.count - count)
    return result
  }

  /// The numbers 0, 1, … below a count in random order, by Fisher and Yates.
  package func permutation(_ stream: Stream, _ step: Int, count: Int, salt: UInt32) -> [Int] {
    var result = Array(0..<count)
    for last in stride(from: count - 1, to: 0, by: -1) {
      result.swapAt(last, Int(uniform(stream, step, last, salt: salt) * Double(last + 1)))
    }
    return result
  }
}
