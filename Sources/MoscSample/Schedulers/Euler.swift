/// Euler steps of the probability-flow ODE; equals diffusers' `EulerDiscreteScheduler` without
/// churn, and with `isAncestral` its `EulerAncestralDiscreteScheduler`.
///
/// - Source: Karras et al. 2022, algorithm 1; k-diffusion `sample_euler_ancestral`.
package struct Euler: Scheduler {
  package let timesteps: [Double]
  package let initialNoiseScale: Float
  package let isAncestral: Bool
  /// Noise levels, one more than steps, ending at zero.
  package let sigmas: [Float]
  private let prediction: SchedulerConfig.Prediction

  package init(_ config: SchedulerConfig, steps: Int, isAncestral: Bool = false) {
    let table = SigmaTable(config)
    let spacing = config.spacing ?? .linspace
    var levels: [Double]
    var times = config.timesteps(steps, spacing).map { Double(Float($0)) }
    if config.usesKarrasSigmas && !isAncestral {
      levels = table.karras(steps)
      times = levels.map { Double(Float(table.timestep(of: $0))) }
    } else {
      levels = times.map { table.sigma(at: $0) }
    }
    levels.append(config.finalSigmas == "sigma_min" && !isAncestral ? table.sigmas[0] : 0)
    timesteps = times
    sigmas = levels.map(Float.init)
    self.isAncestral = isAncestral
    prediction = config.prediction
    let largest = sigmas.max() ?? 1
    initialNoiseScale =
      spacing == .leading ? (largest * largest + 1).squareRoot() : largest
  }

  package var needsNoise: Bool { isAncestral }

  package func modelInput(_ sample: [Float], step: Int) -> [Float] {
    let divisor = (sigmas[step] * sigmas[step] + 1).squareRoot()
    return sample.map { $0 / divisor }
  }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    let (from, to) = (sigmas[step], sigmas[step + 1])
    let data: [Float]
    switch prediction {
    case .epsilon: data = combine([(1, sample), (-from, modelOutput)])
    case .velocity:
      let square = from * from + 1
      data = combine([(-from / square.squareRoot(), modelOutput), (1 / square, sample)])
    case .sample: data = modelOutput
    }
    var target = to
    var fresh: Float = 0
    if isAncestral {
      fresh = (to * to * (from * from - to * to) / (from * from)).squareRoot()
      target = (to * to - fresh * fresh).squareRoot()
    }
    let step = target - from
    var result = sample.indices.map { sample[$0] + (sample[$0] - data[$0]) / from * step }
    if isAncestral {
      for (i, value) in noise().enumerated() { result[i] += value * fresh }
    }
    return result
  }
}
