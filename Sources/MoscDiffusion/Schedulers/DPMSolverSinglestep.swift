/// DPM-Solver++ of second order with one step at a time: "DPM++ 2S a" equals k-diffusion's
/// `sample_dpmpp_2s_ancestral`, "DPM++ SDE" its `sample_dpmpp_sde` with `r = 1/2`.
///
/// `x_mid = s/σ·x + (1 − s/σ)·D(x)`, then `x′ = σ_down/σ·x + (1 − σ_down/σ)·D(x_mid) + σ_up·ε`. The first has `s`
/// halfway in log σ to `σ_down` and no noise there; the second steps ancestrally to halfway to `σ′` as well.
/// Upstream's second takes both noises from a Brownian tree over σ. Here the path is drawn piece by piece, from σ to
/// `s` and from `s` to σ′, so that both noises and their correlation have the tree's distribution.
/// - Source: Lu et al. 2022 (DPM-Solver++), algorithm 1; noise as in k-diffusion.
package struct DPMSolverSinglestep: Scheduler {
  private let ladder: MidpointLadder
  private let prediction: SchedulerConfig.Prediction
  private let isStochastic: Bool
  /// The start of a step and the noise that was added, between the two calls.
  private var pending: (start: [Float], noise: [Float])?

  package init(_ config: SchedulerConfig, steps: Int, isStochastic: Bool) {
    ladder = MidpointLadder(
      config, steps: steps, isAncestral: true, middleTo: isStochastic ? .end : .down)
    prediction = config.prediction
    self.isStochastic = isStochastic
  }

  package var timesteps: [Double] { ladder.timesteps }
  package var initialNoiseScale: Float { ladder.initialScale }
  package var needsNoise: Bool { ladder.steps.count > 1 }

  package func level(_ call: Int) -> SampleLevel { SampleLevel(sigma: ladder.sigmas[call]) }
  package func firstCall(of step: Int) -> Int { ladder.firstCall(of: step) }

  package func modelInput(_ sample: [Float], step: Int) -> [Float] {
    NoiseLadder.scaled(sample, ladder.sigmas[step])
  }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    let data = prediction.data(sample, modelOutput, level: ladder.sigmas[step])
    let path = ladder.steps[ladder.stepOfCall[step]]
    func move(_ sample: [Float], to level: Double, _ noises: [(Double, [Float])] = []) -> [Float] {
      let kept = level / path.from
      return combine([(Float(kept), sample), (Float(1 - kept), data)] + noises.map { (Float($0), $1) })
    }
    guard let middle = path.middle else { return data }
    if let (start, first) = pending {
      pending = nil
      guard isStochastic else { return move(start, to: path.down, [(path.up, noise())]) }
      // The path's rise from σ to σ′, over the root of its length.
      let share = (path.from - middle) / (path.from - path.to)
      let noises = [
        (path.up * share.squareRoot(), first), (path.up * (1 - share).squareRoot(), noise()),
      ]
      return move(start, to: path.down, noises)
    }
    guard isStochastic else {
      pending = (sample, [])
      return move(sample, to: middle)
    }
    let first = noise()
    pending = (sample, first)
    let (down, up) = MidpointLadder.ancestral(path.from, middle)
    return move(sample, to: down, [(up, first)])
  }
}
