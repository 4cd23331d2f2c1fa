/// Multistep consistency sampling; equals diffusers' `LCMScheduler` (without sample clipping).
///
/// `x₀ = c_out·x₀(ε) + c_skip·x` with `c_skip = s²/((k·t)² + s²)`, `c_out = k·t/√((k·t)² + s²)`,
/// `s = 0.5`, `k` the timestep scaling; then noise is put back up to the next timestep. More steps
/// than the grid of the distillation has, where upstream refuses, take a finer grid.
/// - Source: Song et al. 2023, algorithm 1; Luo et al. 2023.
package struct LCM: Scheduler {
  package let timesteps: [Double]
  private let alphas: [Float]
  private let prediction: SchedulerConfig.Prediction
  private let scaling: Double

  package init(_ config: SchedulerConfig, steps: Int) {
    let steps = max(1, steps)
    let originalSteps = min(max(config.originalInferenceSteps, steps), config.trainSteps)
    let stride = config.trainSteps / originalSteps
    timesteps = (0..<steps).map { i in
      let index = Int(Double(i) * Double(originalSteps) / Double(steps))
      return Double((originalSteps - index) * stride - 1)
    }
    alphas = config.alphasCumprod
    prediction = config.prediction
    scaling = config.timestepScaling
  }

  package var needsNoise: Bool { timesteps.count > 1 }

  package func level(_ call: Int) -> SampleLevel {
    SampleLevel(alpha: alphas[min(Int(timesteps[call]), alphas.count - 1)])
  }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    let t = timesteps[step]
    let a = Double(alphas[Int(t)])
    let data = prediction.data(
      sample, modelOutput, alpha: a.squareRoot(), sigma: (1 - a).squareRoot())
    let scaled = t * scaling
    let square = scaled * scaled + 0.25
    let denoised = combine([
      (Float(scaled / square.squareRoot()), data), (Float(0.25 / square), sample),
    ])
    guard step + 1 < timesteps.count else { return denoised }
    let next = Double(alphas[Int(timesteps[step + 1])])
    return combine([
      (Float(next.squareRoot()), denoised), (Float((1 - next).squareRoot()), noise()),
    ])
  }
}
