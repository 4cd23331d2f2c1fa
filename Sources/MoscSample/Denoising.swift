import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscRandom
import MoscReport

/// The way from noise to latents: the steps of a scheduler with a model's predictions between them.
///
/// Everything lies as the networks read it, `[n,h,w,c]`; noise is drawn sample by sample and channel
/// by channel, as torch draws `[n,c,h,w]`.
package struct Denoising {
  /// What a run leaves: everything a trajectory file records.
  package struct Run: Sendable {
    /// The initial latents before scaling.
    package var initial: HostArray
    /// The latents after every step.
    package var latents: [HostArray]
    package var timesteps: [Double]

    /// The latents after the last step.
    package var last: HostArray { latents.last ?? initial }
  }

  /// Latents per picture: height, width, channels.
  package let height, width, channels: Int
  private let scheduler: any Scheduler

  package init(height: Int, width: Int, channels: Int, _ scheduler: any Scheduler) {
    (self.height, self.width, self.channels) = (height, width, channels)
    self.scheduler = scheduler
  }

  /// Takes every step.
  ///
  /// - Parameters:
  ///   - what: the name in messages.
  ///   - initial: the initial latents; nil to draw them.
  ///   - sources: one random source per picture: initial latents first, then the noise of each step,
  ///     as diffusers draws from one generator per picture.
  ///   - predict: the model's output for the scaled latents `[n,h,w,c]` at a timestep.
  /// - Throws: `CommandError.failure` when the latents end in numbers that are not finite.
  package func run(
    _ what: String, initial: HostArray?, sources: inout [any RandomSource], _ reporter: Reporter,
    predict: (_ latents: HostArray, _ timestep: Double, _ step: Int) throws -> [Float]
  ) throws -> Run {
    let planes = [sources.count, channels, height, width]
    let size = channels * height * width
    func noise(_ sources: inout [any RandomSource]) -> HostArray {
      HostArray(sources.indices.flatMap { sources[$0].normals(size) }, shape: planes).channelsLast
    }
    let initial = initial ?? noise(&sources)
    var scheduler = scheduler
    let scale = scheduler.initialNoiseScale
    var sample = initial.floats.map { $0 * scale }
    var run = Run(initial: initial, latents: [], timesteps: scheduler.timesteps)
    reporter.begin(.step, what)
    for (step, timestep) in scheduler.timesteps.enumerated() {
      try Interruption.check()
      let input = HostArray(scheduler.modelInput(sample, step: step), shape: initial.shape)
      let output = try predict(input, timestep, step)
      sample = scheduler.advance(sample, modelOutput: output, step: step) { noise(&sources).floats }
      run.latents.append(HostArray(sample, shape: initial.shape))
      reporter.progress(.step, what, done: step + 1, of: scheduler.timesteps.count)
    }
    reporter.end(.step, what)
    if let bad = sample.first(where: { !$0.isFinite }) {
      throw CommandError.failure(
        "\(what) ended in \(bad); the weights, strengths or the guidance are out of range")
    }
    return run
  }
}
