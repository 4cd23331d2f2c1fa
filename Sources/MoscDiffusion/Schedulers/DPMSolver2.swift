/// DPM-Solver of second order with one step at a time ("DPM2"); equals k-diffusion's `sample_dpm_2` without
/// churn, and with `isAncestral` ("DPM2 a") its `sample_dpm_2_ancestral`.
///
/// An Euler step to the level halfway in log σ, then from the start with the slope found there:
/// `x′ = x + d_mid·(σ_down − σ) + σ_up·ε`.
/// - Source: Lu et al. 2022 (DPM-Solver), algorithm 1; Karras et al. 2022, whose notation it follows.
package struct DPMSolver2: Scheduler {
  private let ladder: MidpointLadder
  private let prediction: SchedulerConfig.Prediction
  private let isAncestral: Bool
  /// The start of a step, between the two calls.
  private var start: [Float]?

  package init(_ config: SchedulerConfig, steps: Int, isAncestral: Bool = false) {
    ladder = MidpointLadder(config, steps: steps, isAncestral: isAncestral)
    prediction = config.prediction
    self.isAncestral = isAncestral
  }

  package var timesteps: [Double] { ladder.timesteps }
  package var initialNoiseScale: Float { ladder.initialScale }
  package var needsNoise: Bool { isAncestral }

  package func level(_ call: Int) -> SampleLevel { SampleLevel(sigma: ladder.sigmas[call]) }
  package func firstCall(of step: Int) -> Int { ladder.firstCall(of: step) }

  package func modelInput(_ sample: [Float], step: Int) -> [Float] {
    NoiseLadder.scaled(sample, ladder.sigmas[step])
  }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    let sigma = ladder.sigmas[step]
    let data = prediction.data(sample, modelOutput, level: sigma)
    let slope = sample.indices.map { (sample[$0] - data[$0]) / sigma }
    let path = ladder.steps[ladder.stepOfCall[step]]
    if let begin = start {
      start = nil
      var terms = [(1, begin), (Float(path.down - path.from), slope)]
      if isAncestral { terms.append((Float(path.up), noise())) }
      return combine(terms)
    }
    if path.middle != nil { start = sample }
    return combine([(1, sample), (Float((path.middle ?? 0) - path.from), slope)])
  }
}
