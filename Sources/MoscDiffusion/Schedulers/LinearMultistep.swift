/// Linear multistep of order 4 on the noise level; equals diffusers' `LMSDiscreteScheduler`.
///
/// The slopes of the last steps are interpolated by a polynomial in σ, which is integrated from
/// one level to the next: exactly, where upstream integrates numerically (relative error 1e-4 of
/// the integral at most, in fact rounding).
/// - Source: Katherine Crowson, k-diffusion `sample_lms`.
package struct LinearMultistep: Scheduler {
  private let ladder: NoiseLadder
  private let prediction: SchedulerConfig.Prediction
  /// The slopes of the last steps, the newest first.
  private var slopes: [[Float]] = []
  private static let order = 4

  package init(_ config: SchedulerConfig, steps: Int) {
    ladder = NoiseLadder(config, steps: steps)
    prediction = config.prediction
  }

  package var timesteps: [Double] { ladder.timesteps }
  /// Noise levels, one more than steps.
  package var sigmas: [Float] { ladder.sigmas }
  package var initialNoiseScale: Float { ladder.initialScale }

  package func level(_ call: Int) -> SampleLevel { SampleLevel(sigma: ladder.sigmas[call]) }

  package func modelInput(_ sample: [Float], step: Int) -> [Float] {
    NoiseLadder.scaled(sample, sigmas[step])
  }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    let data = prediction.data(sample, modelOutput, level: sigmas[step])
    let slope = sample.indices.map { (sample[$0] - data[$0]) / sigmas[step] }
    slopes = [slope] + slopes.prefix(Self.order - 1)
    return combine([(1, sample)] + slopes.indices.map { (weight(of: $0, at: step), slopes[$0]) })
  }

  /// The integral of the Lagrange polynomial that is 1 at the level `index` steps ago.
  ///
  /// Two Gauss points are exact up to degree 3.
  private func weight(of index: Int, at step: Int) -> Float {
    let (a, b) = (Double(sigmas[step]), Double(sigmas[step + 1]))
    let own = Double(sigmas[step - index])
    let offset = (b - a) / 2 / 3.0.squareRoot()
    var sum = 0.0
    for point in [(a + b) / 2 - offset, (a + b) / 2 + offset] {
      var value = 1.0
      for other in slopes.indices where other != index {
        let level = Double(sigmas[step - other])
        value *= (point - level) / (own - level)
      }
      sum += value
    }
    return Float(sum * (b - a) / 2)
  }
}
