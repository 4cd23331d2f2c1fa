import Foundation
import MoscRandom

/// A mean with the interval that holds 95 % of the means of resampled prompts.
package struct Estimate: Hashable, Sendable {
  package var mean: Double
  package var low: Double
  package var high: Double

  package init(mean: Double, low: Double, high: Double) { (self.mean, self.low, self.high) = (mean, low, high) }
}

/// Resamples prompts with replacement: pictures of one prompt are alike, so they are drawn together.
///
/// Source: Efron 1979, the percentile interval.
package struct Bootstrap {
  private let random: RunSeed
  private let rounds = 1000

  package init(seed: UInt64) { random = RunSeed(seed) }

  /// The mean of all values and its interval; nil without values.
  ///
  /// - Parameter values: each with what it is drawn together with, such as its prompt.
  package func estimate(_ values: [(unit: String, value: Double)]) -> Estimate? {
    var sums: [String: (sum: Double, count: Double)] = [:]
    for (unit, value) in values {
      let old = sums[unit] ?? (0, 0)
      sums[unit] = (old.sum + value, old.count + 1)
    }
    let units = sums.sorted { $0.key < $1.key }.map(\.value)
    guard !units.isEmpty else { return nil }
    func mean(_ chosen: [(sum: Double, count: Double)]) -> Double {
      chosen.reduce(0) { $0 + $1.sum } / chosen.reduce(0) { $0 + $1.count }
    }
    let means = (0..<rounds).map { round in
      mean(
        units.indices.map { place in
          units[Int(random.uniform(.order, round, place) * Double(units.count))]
        })
    }.sorted()
    return Estimate(
      mean: mean(units), low: means[rounds * 25 / 1000], high: means[rounds * 975 / 1000 - 1])
  }
}
