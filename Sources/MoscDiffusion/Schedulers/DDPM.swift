/// Ancestral sampling of denoising diffusion; equals diffusers' `DDPMScheduler` (without sample
/// clipping).
///
/// `x′ = √ᾱ′·β/(1 − ᾱ)·x₀ + √(1 − β)·(1 − ᾱ′)/(1 − ᾱ)·x + √v·ε` with `1 − β = ᾱ/ᾱ′`, and
/// `v = β·(1 − ᾱ′)/(1 − ᾱ)` (fixed small) or `β` (fixed large).
/// - Source: Ho et al. 2020, eq. 6 and 7.
package struct DDPM: Scheduler {
  package let timesteps: [Double]
  private let alphas: [Float]
  private let prediction: SchedulerConfig.Prediction
  private let variance: SchedulerConfig.Variance

  package init(_ config: SchedulerConfig, steps: Int) {
    timesteps = config.timesteps(max(1, steps), config.spacing ?? .leading)
      .map { $0.rounded(.toNearestOrEven) }
    alphas = config.alphasCumprod
    prediction = config.prediction
    variance = config.variance
  }

  package var needsNoise: Bool { true }

  package func level(_ call: Int) -> SampleLevel {
    SampleLevel(alpha: alphas[min(Int(timesteps[call]), alphas.count - 1)])
  }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    let t = min(Int(timesteps[step]), alphas.count - 1)
    let a = Double(alphas[t])
    let aPrevious = step + 1 < timesteps.count ? Double(alphas[Int(timesteps[step + 1])]) : 1
    let kept = a / aPrevious
    let data = prediction.data(
      sample, modelOutput, alpha: a.squareRoot(), sigma: (1 - a).squareRoot())
    var terms = [
      (Float(aPrevious.squareRoot() * (1 - kept) / (1 - a)), data),
      (Float(kept.squareRoot() * (1 - aPrevious) / (1 - a)), sample),
    ]
    if t > 0 {
      let small = max((1 - aPrevious) / (1 - a) * (1 - kept), 1e-20)
      let chosen = variance == .small ? small : 1 - kept
      terms.append((Float(chosen.squareRoot()), noise()))
    }
    return combine(terms)
  }
}
