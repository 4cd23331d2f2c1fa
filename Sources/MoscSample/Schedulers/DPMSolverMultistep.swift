import Foundation

/// DPM-Solver++ multistep of order 1 to 3 in data prediction; equals diffusers'
/// `DPMSolverMultistepScheduler` ("DPM++ 2M" at order 2).
///
/// - Source: Lu et al. 2022 (DPM-Solver++), eq. 4.2 and appendix A; third order as upstream.
package struct DPMSolverMultistep: Scheduler {
  package let timesteps: [Double]
  /// Noise levels, one more than steps.
  package let sigmas: [Float]
  private let config: SchedulerConfig
  private var history: [[Float]] = []

  package init(_ config: SchedulerConfig, steps: Int) {
    self.config = config
    let table = SigmaTable(config)
    let n = config.trainSteps
    var times: [Double]
    switch config.spacing ?? .linspace {
    case .linspace:
      let step = Double(n - 1) / Double(steps)
      times = (0..<steps).map { (Double(steps - $0) * step).rounded(.toNearestOrEven) }
    case .leading:
      let ratio = n / (steps + 1)
      times = (0..<steps).map { Double((steps - $0) * ratio + config.stepsOffset) }
    case .trailing:
      times = config.timesteps(steps, .trailing)
    }
    var levels: [Double]
    if config.usesKarrasSigmas {
      levels = table.karras(steps)
      times = levels.map { table.timestep(of: $0).rounded(.toNearestOrEven) }
    } else {
      levels = times.map { table.sigma(at: $0) }
    }
    levels.append(config.finalSigmas == "zero" ? 0 : table.sigmas[0])
    timesteps = times
    sigmas = levels.map(Float.init)
  }

  /// α and σ of the variance-preserving form, and λ = ln(α/σ).
  private func coefficients(_ index: Int) -> (alpha: Double, sigma: Double, lambda: Double) {
    let level = Double(sigmas[index])
    let alpha = 1 / (level * level + 1).squareRoot()
    return (alpha, level * alpha, -log(level))
  }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    let now = coefficients(step)
    let data: [Float]
    switch config.prediction {
    case .epsilon:
      data = combine([
        (Float(1 / now.alpha), sample), (Float(-now.sigma / now.alpha), modelOutput),
      ])
    case .velocity:
      data = combine([(Float(now.alpha), sample), (Float(-now.sigma), modelOutput)])
    case .sample: data = modelOutput
    }
    history = [data] + history.prefix(config.solverOrder - 1)
    let steps = timesteps.count
    let isShort = config.lowerOrderFinal && steps < 15
    var order = min(config.solverOrder, history.count)
    if step == steps - 2 && isShort { order = min(order, 2) }
    if step == steps - 1 && (config.eulerAtFinal || isShort || config.finalSigmas == "zero") {
      order = 1
    }
    return update(sample, step: step, order: order)
  }

  private func update(_ sample: [Float], step: Int, order: Int) -> [Float] {
    let target = coefficients(step + 1)
    let now = coefficients(step)
    let h = target.lambda - now.lambda
    // e^(−h) − 1; the last level may be zero, where h is infinite.
    let decay = exp(-h) - 1
    let a = target.alpha
    let ratio = Float(target.sigma / now.sigma)
    let m = history
    if order == 1 { return combine([(ratio, sample), (Float(-a * decay), m[0])]) }
    let h0 = now.lambda - coefficients(step - 1).lambda
    let r0 = h0 / h
    let isMidpoint = config.solverType == "midpoint"
    if order == 2 {
      let slope = combine([(Float(1 / r0), m[0]), (Float(-1 / r0), m[1])])
      let weight = isMidpoint ? -0.5 * a * decay : a * (decay / h + 1)
      return combine([(ratio, sample), (Float(-a * decay), m[0]), (Float(weight), slope)])
    }
    let h1 = coefficients(step - 1).lambda - coefficients(step - 2).lambda
    let r1 = h1 / h
    let first = combine([(Float(1 / r0), m[0]), (Float(-1 / r0), m[1])])
    let second = combine([(Float(1 / r1), m[1]), (Float(-1 / r1), m[2])])
    let mix = Float(r0 / (r0 + r1))
    let slope = combine([(1 + mix, first), (-mix, second)])
    let inverse = Float(1 / (r0 + r1))
    let curvature = combine([(inverse, first), (-inverse, second)])
    return combine([
      (ratio, sample), (Float(-a * decay), m[0]), (Float(a * (decay / h + 1)), slope),
      (Float(-a * ((decay + h) / (h * h) - 0.5)), curvature),
    ])
  }
}
