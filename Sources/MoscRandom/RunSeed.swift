/// The seeds of all draws of a run, each from the run's seed and what it is for: a run that is taken
/// up again draws the same without remembering the state of any generator.
package struct RunSeed: Hashable, Sendable {
  /// What is drawn.
  package enum Purpose: UInt64, Hashable, Sendable {
    case factors = 1, words, order, picture, variant, caption, posterior, noise, offset, timestep
  }

  package let seed: UInt64

  package init(_ seed: UInt64) { self.seed = seed }

  /// The seed of a draw.
  package func callAsFunction(_ purpose: Purpose, _ numbers: Int...) -> UInt64 {
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

/// The order in which a run sees its samples: every epoch all of them, shuffled anew; what does not
/// fill a batch is left out.
package struct SampleOrder: Sendable {
  private let count: Int
  private let batch: Int
  private let seed: RunSeed
  private var epoch = -1
  private var order: [Int] = []

  package init(count: Int, batch: Int, seed: RunSeed) {
    self.count = count
    self.batch = batch
    self.seed = seed
  }

  /// The samples of a batch, counted from 0 over the whole run.
  package mutating func samples(_ number: Int) -> [Int] {
    let batches = max(1, count / batch)
    if epoch != number / batches {
      epoch = number / batches
      order = Array(0..<max(count, batch))
      var random = PythonRandom(seed: seed(.order, epoch))
      random.shuffle(&order)
    }
    let first = number % batches * batch
    return order[first..<first + batch].map { $0 % max(1, count) }
  }
}
