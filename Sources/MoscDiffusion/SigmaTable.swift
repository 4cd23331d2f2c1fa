import Foundation

/// Noise levels of the training schedule and their interpolation.
///
/// `σ_t = √((1 − ᾱ_t) / ᾱ_t)`, table in f32, interpolation in f64 as NumPy does.
struct SigmaTable {
  let sigmas: [Double]
  private let logs: [Double]

  init(_ config: SchedulerConfig) {
    var alphas = config.alphasCumprod
    // A level of exactly no signal would be infinite; upstream takes the smallest half number.
    if config.rescaleBetasZeroSNR, !alphas.isEmpty { alphas[alphas.count - 1] = 0x1p-24 }
    sigmas = alphas.map { Double(((1 - $0) / $0).squareRoot()) }
    logs = sigmas.map { log($0) }
  }

  /// The least level of the table.
  var smallest: Double { sigmas[0] }
  /// The greatest level of the table.
  var largest: Double { sigmas[sigmas.count - 1] }

  /// Linear interpolation at a fractional timestep, clamped to the table.
  func sigma(at t: Double) -> Double {
    let low = min(max(Int(t.rounded(.down)), 0), sigmas.count - 1)
    let high = min(low + 1, sigmas.count - 1)
    let fraction = min(max(t - Double(low), 0), 1)
    return sigmas[low] + (sigmas[high] - sigmas[low]) * fraction
  }

  /// The fractional timestep of a noise level, linear in log σ.
  func timestep(of sigma: Double) -> Double {
    let wanted = log(max(sigma, 1e-10))
    let above = logs.firstIndex { $0 > wanted } ?? logs.count
    let low = min(max(above - 1, 0), logs.count - 2)
    let weight = (logs[low] - wanted) / (logs[low] - logs[low + 1])
    let clamped = min(max(weight, 0), 1)
    return (1 - clamped) * Double(low) + clamped * Double(low + 1)
  }

  /// The levels that a configuration asks for between two levels, or nil when it asks for none.
  ///
  /// - Source: Karras et al. 2022, eq. 5, ρ = 7; exponential: even in log σ.
  func respaced(
    _ config: SchedulerConfig, _ count: Int, from a: Double, to b: Double
  ) -> [Double]? {
    func ramp(_ i: Int) -> Double { count == 1 ? 0 : Double(i) / Double(count - 1) }
    switch config.levels {
    case .timesteps: return nil
    case .karras:
      let (first, last) = (pow(a, 1 / 7.0), pow(b, 1 / 7.0))
      return (0..<count).map { pow(first + ramp($0) * (last - first), 7) }
    case .exponential:
      return (0..<count).map { exp(log(a) + ramp($0) * (log(b) - log(a))) }
    }
  }
}
