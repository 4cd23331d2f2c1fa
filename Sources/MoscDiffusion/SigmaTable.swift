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

  /// Interpolation at a fractional timestep, linear in log σ, the inverse of `timestep(of:)`.
  func level(at t: Double) -> Double {
    let low = min(max(Int(t), 0), logs.count - 2)
    let fraction = min(max(t - Double(low), 0), 1)
    return exp((1 - fraction) * logs[low] + fraction * logs[low + 1])
  }
}
