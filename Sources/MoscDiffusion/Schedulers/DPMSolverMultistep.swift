import Foundation

/// DPM-Solver++ multistep of order 1 to 3 in data prediction; equals diffusers'
/// `DPMSolverMultistepScheduler`: "DPM++ 2M" at order 2, "DPM++ 2M SDE" with the stochastic
/// algorithm, and with `endsAtTimestepZero` as diffusers before 0.22 had it.
///
/// With `h = λ′ − λ`, `k` = 1 (2 when stochastic) and `e = exp(−k·h) − 1`:
/// `x′ = σ′/σ·exp(−(k−1)·h)·x − α′·e·D₀ + w₁·D₁ − w₂·D₂ + σ′·√(1 − exp(−2h))·ε`, the last term
/// when stochastic.
/// - Source: Lu et al. 2022 (DPM-Solver++), eq. 4.2 and appendix A; third order as upstream.
package struct DPMSolverMultistep: Scheduler {
  private let levels: MultistepLevels
  private let config: SchedulerConfig
  private let isStochastic: Bool
  /// Predicted data of the last steps, the newest first.
  private var history: [[Float]] = []

  package init(_ config: SchedulerConfig, steps: Int) {
    self.config = config
    levels = MultistepLevels(config, steps: steps)
    isStochastic = config.algorithm == .stochastic
  }

  package var timesteps: [Double] { levels.timesteps }
  /// Noise levels, one more than steps.
  package var sigmas: [Float] { levels.sigmas }
  package var needsNoise: Bool { isStochastic }

  package func level(_ call: Int) -> SampleLevel { levels.level(call) }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    let now = levels.coefficients(step)
    let data = config.prediction.data(sample, modelOutput, alpha: now.alpha, sigma: now.sigma)
    history = [data] + history.prefix(config.solverOrder - 1)
    let steps = timesteps.count
    let isShort = config.lowerOrderFinal && steps < 15
    var order = min(config.solverOrder, history.count)
    if step == steps - 2 && isShort { order = min(order, 2) }
    // At level zero h is infinite, which only the first order can stand.
    let isAtZero = sigmas[step + 1] == 0
    if step == steps - 1 && (config.eulerAtFinal || isShort || isAtZero) { order = 1 }
    var terms = update(sample, step: step, order: order)
    if isStochastic {
      let target = levels.coefficients(step + 1)
      let spread = (1 - exp(-2 * (target.lambda - now.lambda))).squareRoot()
      terms.append((Float(target.sigma * spread), noise()))
    }
    return combine(terms)
  }

  private func update(_ sample: [Float], step: Int, order: Int) -> [(Float, [Float])] {
    let target = levels.coefficients(step + 1)
    let now = levels.coefficients(step)
    let h = target.lambda - now.lambda
    let reach = isStochastic ? 2 * h : h
    let decay = exp(-reach) - 1
    let a = target.alpha
    let m = history
    let ratio = target.sigma / now.sigma * (isStochastic ? exp(-h) : 1)
    let terms = [(Float(ratio), sample), (Float(-a * decay), m[0])]
    if order == 1 { return terms }
    let first = slope(m[0], m[1], (now.lambda - levels.coefficients(step - 1).lambda) / h)
    let heunWeight = a * (decay / reach + 1)
    if order == 2 {
      let weight = config.solverType == .heun ? heunWeight : -0.5 * a * decay
      return terms + [(Float(weight), first.values)]
    }
    let lambda1 = levels.coefficients(step - 1).lambda
    let second = slope(m[1], m[2], (lambda1 - levels.coefficients(step - 2).lambda) / h)
    let mix = Float(first.ratio / (first.ratio + second.ratio))
    let inverse = Float(1 / (first.ratio + second.ratio))
    return terms + [
      (Float(heunWeight), combine([(1 + mix, first.values), (-mix, second.values)])),
      (
        Float(-a * ((decay + reach) / (reach * reach) - 0.5)),
        combine([(inverse, first.values), (-inverse, second.values)])
      ),
    ]
  }

  /// The difference of two predictions over the length of their step, in units of this step.
  private func slope(
    _ newer: [Float], _ older: [Float], _ ratio: Double
  ) -> (values: [Float], ratio: Double) {
    (combine([(Float(1 / ratio), newer), (Float(-1 / ratio), older)]), ratio)
  }
}
