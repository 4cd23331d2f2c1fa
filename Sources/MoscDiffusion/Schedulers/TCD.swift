/// Sampling of trajectory-consistency models; equals diffusers' `TCDScheduler`.
///
/// The model's ε leads straight to timestep `⌊(1 − η)·t′⌋`, below the next one; noise leads back up to `t′`. No noise
/// at η = 0. More steps than the grid of the distillation has, where upstream refuses, take a finer grid.
/// - Source: Zheng et al. 2024, algorithm 4 (γ is η here).
package struct TCD: Scheduler {
  /// What is taken when nothing is said, as in diffusers.
  package static let usualEta = 0.3

  package let timesteps: [Double]
  private let alphas: [Float]
  private let prediction: SchedulerConfig.Prediction
  private let eta: Double

  package init(_ config: SchedulerConfig, steps: Int, eta: Double = usualEta) {
    timesteps = LCM(config, steps: steps).timesteps
    alphas = config.alphasCumprod
    prediction = config.prediction
    self.eta = eta
  }

  package var needsNoise: Bool { eta > 0 && timesteps.count > 1 }

  package func level(_ call: Int) -> SampleLevel {
    SampleLevel(alpha: alphas[min(Int(timesteps[call]), alphas.count - 1)])
  }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    let isLast = step + 1 == timesteps.count
    let next = isLast ? 0 : timesteps[step + 1]
    // Upstream multiplies in f32.
    let low = Int((Float(1 - eta) * Float(next)).rounded(.down))
    let (a, aNext, aLow) = (
      Double(alphas[Int(timesteps[step])]), Double(alphas[Int(next)]), Double(alphas[low])
    )
    let (root, noiseRoot) = (a.squareRoot(), (1 - a).squareRoot())
    let data = prediction.data(sample, modelOutput, alpha: root, sigma: noiseRoot)
    let epsilon =
      prediction == .epsilon
      ? modelOutput : combine([(Float(1 / noiseRoot), sample), (Float(-root / noiseRoot), data)])
    let lowSample = combine([
      (Float(aLow.squareRoot()), data), (Float((1 - aLow).squareRoot()), epsilon),
    ])
    if isLast || eta == 0 { return lowSample }
    let kept = aNext / aLow
    return combine([
      (Float(kept.squareRoot()), lowSample), (Float(max(0, 1 - kept).squareRoot()), noise()),
    ])
  }
}
