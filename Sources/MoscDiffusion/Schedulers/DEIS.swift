import Foundation

/// Exponential-integrator multistep of order 1 to 3 ("DEIS"); equals diffusers' `DEISMultistepScheduler`.
///
/// With `ρ = σ/α`, `x′/α′ = x/α + Σ cᵢ·εᵢ`, where `cᵢ` is the integral from ρ to ρ′ of the Lagrange polynomial in
/// log ρ that is 1 at the level of the i-th last prediction. The last level is the least of the table, not zero.
/// - Source: Zhang & Chen 2023, eq. 14, variant ρAB in log ρ.
package struct DEIS: Scheduler {
  private let levels: MultistepLevels
  private let config: SchedulerConfig
  /// Predicted noise of the last steps, the newest first.
  private var history: [[Float]] = []

  package init(_ config: SchedulerConfig, steps: Int) {
    var config = config
    (config.finalLevel, config.endsAtTimestepZero) = (.smallest, false)
    self.config = config
    levels = MultistepLevels(config, steps: steps)
  }

  package var timesteps: [Double] { levels.timesteps }

  package func level(_ call: Int) -> SampleLevel { levels.level(call) }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    let (now, target) = (levels.coefficients(step), levels.coefficients(step + 1))
    history = [epsilon(sample, modelOutput, now.alpha, now.sigma)] + history.prefix(config.solverOrder - 1)
    var order = history.count
    let remaining = timesteps.count - step
    if config.lowerOrderFinal && timesteps.count < 15 { order = min(order, remaining) }
    let ends = (Double(levels.sigmas[step]), Double(levels.sigmas[step + 1]))
    let nodes = (0..<order).map { log(Double(levels.sigmas[step - $0])) }
    let terms = (0..<order).map { i in
      (Float(target.alpha * Self.weight(nodes, i, from: ends.0, to: ends.1)), history[i])
    }
    return combine([(Float(target.alpha / now.alpha), sample)] + terms)
  }

  private func epsilon(
    _ sample: [Float], _ output: [Float], _ alpha: Double, _ sigma: Double
  ) -> [Float] {
    if config.prediction == .epsilon { return output }
    let data = config.prediction.data(sample, output, alpha: alpha, sigma: sigma)
    return combine([(Float(1 / sigma), sample), (Float(-alpha / sigma), data)])
  }

  /// `∫ Π (ln t − xⱼ)/(xᵢ − xⱼ) dt` over the other nodes `j`, at most two.
  private static func weight(_ nodes: [Double], _ i: Int, from a: Double, to b: Double) -> Double {
    let others = nodes.indices.filter { $0 != i }.map { nodes[$0] }
    let scale = others.reduce(1) { $0 * (nodes[i] - $1) }
    func antiderivative(_ t: Double) -> Double {
      let l = log(t)
      switch others.count {
      case 0: return t
      case 1: return t * (l - 1 - others[0])
      default:
        return t * (l * l - 2 * l + 2 - (others[0] + others[1]) * (l - 1) + others[0] * others[1])
      }
    }
    return (antiderivative(b) - antiderivative(a)) / scale
  }
}
