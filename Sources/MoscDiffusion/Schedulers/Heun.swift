/// Heun's second-order steps of the probability-flow ODE; equals diffusers'
/// `HeunDiscreteScheduler`.
///
/// Every step but the last asks the model twice: an Euler step to `σ′`, then again from the start
/// with the mean of both slopes.
/// - Source: Karras et al. 2022, algorithm 1.
package struct Heun: Scheduler {
  package let timesteps: [Double]
  /// Noise levels of each model call, and the end.
  package let sigmas: [Float]
  package let initialNoiseScale: Float
  private let prediction: SchedulerConfig.Prediction
  /// The start of a step and its slope there, between the two calls.
  private var pending: (sample: [Float], slope: [Float])?

  package init(_ config: SchedulerConfig, steps: Int) {
    let ladder = NoiseLadder(config, steps: steps)
    func twice<T>(_ values: [T]) -> [T] { values.flatMap { [$0, $0] } }
    timesteps = Array(twice(ladder.timesteps).dropFirst())
    sigmas = Array(twice(ladder.sigmas).dropFirst().dropLast())
    initialNoiseScale = ladder.initialScale
    prediction = config.prediction
  }

  package func level(_ call: Int) -> SampleLevel { SampleLevel(sigma: sigmas[call]) }
  package func firstCall(of step: Int) -> Int { 2 * step }

  package func modelInput(_ sample: [Float], step: Int) -> [Float] {
    NoiseLadder.scaled(sample, sigmas[step])
  }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    let here = sigmas[step]
    let data = prediction.data(sample, modelOutput, level: here)
    let slope = sample.indices.map { (sample[$0] - data[$0]) / here }
    guard let (start, first) = pending else {
      pending = (sample, slope)
      let distance = sigmas[step + 1] - here
      return sample.indices.map { sample[$0] + slope[$0] * distance }
    }
    pending = nil
    let distance = here - sigmas[step - 1]
    return start.indices.map { start[$0] + (first[$0] + slope[$0]) / 2 * distance }
  }
}
