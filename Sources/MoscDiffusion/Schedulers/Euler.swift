/// Euler steps of the probability-flow ODE; equals diffusers' `EulerDiscreteScheduler` without
/// churn, and with `isAncestral` its `EulerAncestralDiscreteScheduler`.
///
/// `x′ = x + d·(σ′ − σ)` with `d = (x − x₀)/σ`; ancestral steps go down to `σ_down` and add
/// `σ_up·ε`, `σ_up² = σ′²·(σ² − σ′²)/σ²`. Unlike upstream, ancestral steps can follow Karras
/// levels too.
/// - Source: Karras et al. 2022, algorithm 1; k-diffusion `sample_euler_ancestral`.
package struct Euler: Scheduler {
  package let isAncestral: Bool
  private let ladder: NoiseLadder
  private let prediction: SchedulerConfig.Prediction

  package init(_ config: SchedulerConfig, steps: Int, isAncestral: Bool = false) {
    ladder = NoiseLadder(config, steps: steps, end: isAncestral ? .zero : config.finalLevel)
    self.isAncestral = isAncestral
    prediction = config.prediction
  }

  package var timesteps: [Double] { ladder.timesteps }
  /// Noise levels, one more than steps.
  package var sigmas: [Float] { ladder.sigmas }
  package var initialNoiseScale: Float { ladder.initialScale }
  package var needsNoise: Bool { isAncestral }

  package func level(_ call: Int) -> SampleLevel { SampleLevel(sigma: ladder.sigmas[call]) }

  package func modelInput(_ sample: [Float], step: Int) -> [Float] {
    NoiseLadder.scaled(sample, sigmas[step])
  }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    let (from, to) = (sigmas[step], sigmas[step + 1])
    let data = prediction.data(sample, modelOutput, level: from)
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
