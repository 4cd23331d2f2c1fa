import Foundation

/// The stochastic multistep DPM-Solver++ of third order ("DPM++ 3M SDE"); equals k-diffusion's
/// `sample_dpmpp_3m_sde` with η = 1.
///
/// With `h = ln(σ/σ′)` and `D₁`, `D₂` the first and second differences of the predicted data:
/// `x′ = e^(−2h)·x + (1 − e^(−2h))·D + φ₂·D₁ − φ₃·D₂ + σ′·√(1 − e^(−2h))·ε`, `φ₂ = (e^(−2h) − 1)/2h + 1`,
/// `φ₃ = φ₂/2h − ½`. Upstream's noise is a Brownian path's increments over steps that do not overlap, which are the
/// independent draws taken here.
/// - Source: Lu et al. 2022 (DPM-Solver++), appendix; third order as in k-diffusion.
package struct DPMSolverSDE3M: Scheduler {
  private let ladder: NoiseLadder
  private let prediction: SchedulerConfig.Prediction
  /// Predicted data of the last steps, the newest first.
  private var history: [[Float]] = []

  package init(_ config: SchedulerConfig, steps: Int) {
    ladder = NoiseLadder(config, steps: steps)
    prediction = config.prediction
  }

  package var timesteps: [Double] { ladder.timesteps }
  package var initialNoiseScale: Float { ladder.initialScale }
  package var needsNoise: Bool { timesteps.count > 1 }

  package func level(_ call: Int) -> SampleLevel { SampleLevel(sigma: ladder.sigmas[call]) }

  package func modelInput(_ sample: [Float], step: Int) -> [Float] {
    NoiseLadder.scaled(sample, ladder.sigmas[step])
  }

  /// The distance that a step goes in log σ.
  private func length(_ step: Int) -> Double {
    log(Double(ladder.sigmas[step]) / Double(ladder.sigmas[step + 1]))
  }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    let data = prediction.data(sample, modelOutput, level: ladder.sigmas[step])
    history = [data] + history.prefix(2)
    let end = Double(ladder.sigmas[step + 1])
    if end == 0 { return data }
    let h = length(step)
    let decay = expm1(-2 * h)
    let second = decay / (2 * h) + 1
    let third = second / (2 * h) - 0.5
    var weights = [-decay, 0, 0]
    if history.count > 1 {
      // Weights of the slopes of this step and of the one before, in units of this step.
      let r0 = length(step - 1) / h
      var (newer, older) = (second, 0.0)
      if history.count > 2 {
        let r1 = length(step - 2) / h
        let shift = (second * r0 - third) / (r0 + r1)
        (newer, older) = (second + shift, -shift)
        weights[1] += older / r1
        weights[2] -= older / r1
      }
      weights[0] += newer / r0
      weights[1] -= newer / r0
    }
    let terms = [(Float(exp(-2 * h)), sample)] + zip(weights, history).map { (Float($0), $1) }
    return combine(terms + [(Float(end * (-decay).squareRoot()), noise())])
  }
}
