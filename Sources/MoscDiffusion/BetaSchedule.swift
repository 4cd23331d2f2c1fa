import Foundation

extension SchedulerConfig {
  /// How betas run from start to end.
  package enum BetaSchedule: String, CaseIterable, Sendable {
    case linear
    case scaledLinear = "scaled_linear"
    case squaredCosine = "squaredcos_cap_v2"
  }

  /// `β_t`, the variance of the noise that training step `t` adds.
  ///
  /// linear: torch's linspace in f32; scaled: the squares of a linspace of roots; cosine:
  /// `min(0.999, 1 − f(t+1)/f(t))` with `f(t) = cos²((t/T + 0.008)/1.008 · π/2)` in f64.
  /// Sources: Ho et al. 2020; Rombach et al. 2022; Nichol & Dhariwal 2021, eq. 17.
  private var betas: [Float] {
    if let trainedBetas { return trainedBetas }
    switch betaSchedule {
    case .linear: return linspace(betaStart, betaEnd)
    case .scaledLinear:
      return linspace(betaStart.squareRoot(), betaEnd.squareRoot()).map { $0 * $0 }
    case .squaredCosine:
      func signal(_ t: Double) -> Double {
        let root = cos((t + 0.008) / 1.008 * Double.pi / 2)
        return root * root
      }
      let n = Double(trainSteps)
      return (0..<trainSteps).map { i in
        Float(min(1 - signal(Double(i + 1) / n) / signal(Double(i) / n), 0.999))
      }
    }
  }

  private func linspace(_ start: Double, _ end: Double) -> [Float] {
    let (start, end) = (Float(start), Float(end))
    let step = (end - start) / Float(trainSteps - 1)
    return (0..<trainSteps).map { i in
      // torch counts from the nearer end.
      i < trainSteps / 2 ? start + step * Float(i) : end - step * Float(trainSteps - 1 - i)
    }
  }

  /// `ᾱ_t = Π (1 − β_s)`: product in f64, stored f32.
  package var alphasCumprod: [Float] {
    Self.products(rescaleBetasZeroSNR ? Self.rescaled(betas) : betas)
  }

  private static func products(_ betas: [Float]) -> [Float] {
    var product = 1.0
    return betas.map { beta in
      product *= Double(1 - beta)
      return Float(product)
    }
  }

  /// Shifts and scales `√ᾱ` so that it ends at zero. Source: Lin et al. 2023, algorithm 1.
  private static func rescaled(_ betas: [Float]) -> [Float] {
    let roots = products(betas).map { $0.squareRoot() }
    guard let first = roots.first, let last = roots.last else { return betas }
    let bars = roots.map { root -> Float in
      let shifted = (root - last) * (first / (first - last))
      return shifted * shifted
    }
    return bars.indices.map { i in 1 - (i == 0 ? bars[0] : bars[i] / bars[i - 1]) }
  }
}
