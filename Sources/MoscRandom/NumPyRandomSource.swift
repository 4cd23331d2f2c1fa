import Foundation

/// The numbers of `numpy.random.RandomState(seed).standard_normal`, rounded to float32.
///
/// The polar method on 53-bit uniforms of the same Mersenne twister, two numbers at a time, the
/// second one given first later.
/// Source: NumPy, `legacy-distributions.c`, `legacy_gauss`.
package struct NumPyRandomSource: RandomSource {
  private var engine: MersenneTwister
  private var kept: Double?

  package init(seed: UInt64) { engine = MersenneTwister(seed: UInt32(truncatingIfNeeded: seed)) }

  private mutating func uniform() -> Double {
    let a = Double(engine.next() >> 5)
    let b = Double(engine.next() >> 6)
    return (a * 67_108_864 + b) / 9_007_199_254_740_992
  }

  /// The next standard-normal number in f64.
  package mutating func normal() -> Double {
    if let value = kept {
      kept = nil
      return value
    }
    while true {
      let x = 2 * uniform() - 1
      let y = 2 * uniform() - 1
      let square = x * x + y * y
      if square >= 1 || square == 0 { continue }
      let factor = (-2 * log(square) / square).squareRoot()
      kept = factor * x
      return factor * y
    }
  }

  package mutating func normals(_ count: Int) -> [Float] {
    (0..<count).map { _ in Float(normal()) }
  }
}
