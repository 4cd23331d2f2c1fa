/// Improved pseudo-numerical steps: Adams–Bashforth of order 4 on the noise level ("IPNDM"); equals ComfyUI's
/// `sample_ipndm`.
///
/// The weights are those of even steps whatever the levels, as upstream; the step to zero ends in the predicted
/// data. diffusers' `IPNDMScheduler` weighs alike, but on a grid of its own that no Stable Diffusion was trained on.
/// - Source: Liu et al. 2022, eq. 12; Zhang & Chen 2023 (DEIS), appendix H.
package struct IPNDM: Scheduler {
  private let ladder: NoiseLadder
  private let prediction: SchedulerConfig.Prediction
  /// The slopes of the last steps, the newest first.
  private var slopes: [[Float]] = []
  private static let weights: [[Double]] = [
    [1], [1.5, -0.5], [23 / 12.0, -16 / 12.0, 5 / 12.0], [55 / 24.0, -59 / 24.0, 37 / 24.0, -9 / 24.0],
  ]

  package init(_ config: SchedulerConfig, steps: Int) {
    ladder = NoiseLadder(config, steps: steps)
    prediction = config.prediction
  }

  package var timesteps: [Double] { ladder.timesteps }
  package var initialNoiseScale: Float { ladder.initialScale }

  package func level(_ call: Int) -> SampleLevel { SampleLevel(sigma: ladder.sigmas[call]) }

  package func modelInput(_ sample: [Float], step: Int) -> [Float] {
    NoiseLadder.scaled(sample, ladder.sigmas[step])
  }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    let (from, to) = (ladder.sigmas[step], ladder.sigmas[step + 1])
    let data = prediction.data(sample, modelOutput, level: from)
    if to == 0 { return data }
    slopes = [sample.indices.map { (sample[$0] - data[$0]) / from }] + slopes.prefix(3)
    let distance = Double(to) - Double(from)
    let weights = Self.weights[slopes.count - 1]
    return combine([(1, sample)] + zip(weights, slopes).map { (Float($0 * distance), $1) })
  }
}
