/// The one source of a run's draws: each depends on the run's seed, on what it is for and on its
/// place alone, so that a run that is taken up again draws the same without the state of any
/// generator.
///
/// There are two ways, and runs keep the one they began with, because another would give other bits:
/// teaching a concept repeats the official trainer, so it seeds Python's and torch's generators anew
/// for every draw (`generator`); pretraining repeats nobody and draws at any place of a stream
/// without making a generator (`uniform`, `normals`, `permutation`).
package struct RunSeed: Hashable, Sendable {
  package let seed: UInt64

  package init(_ seed: UInt64) { self.seed = seed }
}

/// Seeds for generators.
extension RunSeed {
  /// What a generator is for.
  package enum Purpose: UInt64, Hashable, Sendable {
    case factors = 1, words, order, picture, variant, caption, posterior, noise, offset, timestep
  }

  /// The seed of a generator.
  package func generator(_ purpose: Purpose, _ numbers: Int...) -> UInt64 {
    var state = Self.mixed(seed)
    state = Self.mixed(state ^ purpose.rawValue)
    for number in numbers { state = Self.mixed(state ^ UInt64(bitPattern: Int64(number))) }
    // Generators take 32 bits, or use only those.
    return state >> 32
  }

  /// The finaliser of SplitMix64. Source: Steele, Lea & Flood 2014.
  private static func mixed(_ x: UInt64) -> UInt64 {
    var z = x &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
