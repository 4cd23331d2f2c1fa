/// Denoising diffusion implicit models; equals diffusers' `DDIMScheduler` (without sample clipping).
///
/// - Source: Song, Meng & Ermon 2021, eq. 12 and 16.
package struct DDIM: Scheduler {
  package let timesteps: [Double]
  package let eta: Double
  private let alphas: [Float]
  private let finalAlpha: Float
  private let stride: Int
  private let prediction: SchedulerConfig.Prediction

  package init(_ config: SchedulerConfig, steps: Int, eta: Double = 0) {
    let steps = max(1, steps)
    timesteps = config.timesteps(steps, config.spacing ?? .leading)
      .map { $0.rounded(.toNearestOrEven) }
    alphas = config.alphasCumprod
    finalAlpha = config.setAlphaToOne ?? true ? 1 : alphas[0]
    stride = config.trainSteps / steps
    prediction = config.prediction
    self.eta = eta
  }

  package var needsNoise: Bool { eta > 0 }

  package func level(_ call: Int) -> SampleLevel {
    SampleLevel(alpha: alphas[min(Int(timesteps[call]), alphas.count - 1)])
  }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    let t = min(Int(timesteps[step]), alphas.count - 1)
    let previous = t - stride
    let a = Double(alphas[t])
    let aPrevious = Double(previous >= 0 ? alphas[previous] : finalAlpha)
    let (root, noiseRoot) = (a.squareRoot(), (1 - a).squareRoot())
    let data = prediction.data(sample, modelOutput, alpha: root, sigma: noiseRoot)
    let epsilon: [Float]
    switch prediction {
    case .epsilon: epsilon = modelOutput
    case .velocity:
      epsilon = combine([(Float(root), modelOutput), (Float(noiseRoot), sample)])
    case .sample:
      epsilon = combine([(Float(1 / noiseRoot), sample), (Float(-root / noiseRoot), modelOutput)])
    }
    let variance = (1 - aPrevious) / (1 - a) * (1 - a / aPrevious)
    let deviation = eta * max(0, variance).squareRoot()
    let direction = max(0, 1 - aPrevious - deviation * deviation).squareRoot()
    var terms = [(Float(aPrevious.squareRoot()), data), (Float(direction), epsilon)]
    if eta > 0 { terms.append((Float(deviation), noise())) }
    return combine(terms)
  }
}
