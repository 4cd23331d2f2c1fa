import Foundation

/// Noise levels of the training schedule and their interpolation.
///
/// `σ_t = √((1 − ᾱ_t) / ᾱ_t)`, table in f32, interpolation in f64 as NumPy does.
struct SigmaTable {
  let sigmas: [Double]

  init(_ config: SchedulerConfig) {
    sigmas = config.alphasCumprod.map { Double(((1 - $0) / $0).squareRoot()) }
  }

  /// Linear interpolation at a fractional timestep, clamped to the table.
  func sigma(at t: Double) -> Double {
    let low = min(max(Int(t.rounded(.down)), 0), sigmas.count - 1)
    let high = min(low + 1, sigmas.count - 1)
    let fraction = min(max(t - Double(low), 0), 1)
    return sigmas[low] + (sigmas[high] - sigmas[low]) * fraction
  }

  /// The fractional timestep of a noise level, linear in log σ.
  func timestep(of sigma: Double) -> Double {
    let logs = sigmas.map { log($0) }
    let wanted = log(max(sigma, 1e-10))
    let above = logs.firstIndex { $0 > wanted } ?? logs.count
    let low = min(max(above - 1, 0), logs.count - 2)
    let weight = (logs[low] - wanted) / (logs[low] - logs[low + 1])
    let clamped = min(max(weight, 0), 1)
    return (1 - clamped) * Double(low) + clamped * Double(low + 1)
  }

  /// `count` levels from the largest to the smallest, evenly spaced in σ^(1/7).
  ///
  /// - Source: Karras et al. 2022, eq. 5, ρ = 7.
  func karras(_ count: Int) -> [Double] {
    guard let smallest = sigmas.first, let largest = sigmas.last else { return [] }
    let (a, b) = (pow(largest, 1 / 7.0), pow(smallest, 1 / 7.0))
    return (0..<count).map { i in
      let ramp = count == 1 ? 0 : Double(i) / Double(count - 1)
      return pow(a + ramp * (b - a), 7)
    }
  }
}
