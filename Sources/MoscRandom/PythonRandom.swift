/// The numbers of Python's `random.Random(seed)` for integer seeds.
///
/// A 32-bit Mersenne twister, seeded by the 32-bit digits of the seed's absolute value. Whole
/// numbers below n are drawn from as many bits as n has, again until one fits. Source: CPython,
/// `Modules/_randommodule.c`, `Lib/random.py`.
package struct PythonRandom: Sendable {
  private var engine: MersenneTwister

  package init(seed: UInt64) {
    let low = UInt32(truncatingIfNeeded: seed)
    let high = UInt32(truncatingIfNeeded: seed >> 32)
    engine = MersenneTwister(key: high == 0 ? [low] : [low, high])
  }

  /// `random.random()`: a multiple of 2⁻⁵³ in [0, 1).
  package mutating func random() -> Double {
    let high = UInt64(engine.next() >> 5)
    let low = UInt64(engine.next() >> 6)
    return Double(high << 26 | low) * 0x1p-53
  }

  /// `random.getrandbits(count)` for 1…63 bits.
  package mutating func bits(_ count: Int) -> Int {
    if count <= 32 { return Int(engine.next() >> UInt32(32 - count)) }
    let low = UInt64(engine.next())
    let high = UInt64(engine.next() >> UInt32(64 - count))
    return Int(high << 32 | low)
  }

  /// A whole number in 0..<n; 0 when n is not positive.
  package mutating func below(_ n: Int) -> Int {
    guard n > 0 else { return 0 }
    let width = Int.bitWidth - n.leadingZeroBitCount
    while true {
      let draw = bits(width)
      if draw < n { return draw }
    }
  }

  /// `random.randint(low, high)`, both ends included.
  package mutating func integer(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + below(range.upperBound - range.lowerBound + 1)
  }

  /// `random.uniform(low, high)`.
  package mutating func uniform(_ low: Double, _ high: Double) -> Double {
    low + (high - low) * random()
  }

  /// `random.choice(elements)`, nil for none.
  package mutating func choice<Element>(_ elements: [Element]) -> Element? {
    elements.isEmpty ? nil : elements[below(elements.count)]
  }

  /// `random.shuffle(elements)`.
  package mutating func shuffle<Element>(_ elements: inout [Element]) {
    for i in elements.indices.dropFirst().reversed() { elements.swapAt(i, below(i + 1)) }
  }
}

/// The generators that transforms draw from: the reference uses Python's for most and torch's for
/// what torchvision does.
package struct TransformRandom: Sendable {
  package var python: PythonRandom
  package var torch: TorchRandomSource

  /// Both generators seeded alike, as a training script does.
  package init(seed: UInt64) {
    python = PythonRandom(seed: seed)
    torch = TorchRandomSource(seed: seed)
  }
}
