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
  /// Data that a run begins with, noised, in place of noise alone.
  package struct Start: Sendable {
    /// The latents of the pictures, `[n,h,w,c]`.
    package var data: HostArray
    /// How many of the first steps are left out.
    package var leftOut: Int

    package init(_ data: HostArray, leavingOut steps: Int) { (self.data, leftOut) = (data, steps) }
  }

  /// A call of the model with what became of it.
  package struct Step: Sendable {
    /// Its place among the calls of the run, from 0, and how many there are.
    package let number, count: Int
    package let timestep: Double
    /// What the call began with, before it was scaled for the model, and how noisy that was.
    package let before: HostArray
    package let levelBefore: SampleLevel
    /// The model's output.
    package let output: [Float]
    /// The latents now, as the next call begins with them; they may be changed.
    package var latents: [Float]
    /// How noisy they are; `.data` after the last call.
    package let level: SampleLevel

    /// The data that the model predicts.
    package func data(_ prediction: SchedulerConfig.Prediction) -> HostArray {
      HostArray(levelBefore.data(before.floats, output, prediction), shape: before.shape)
    }
  }

  /// What a run leaves: everything a trajectory file records.
  package struct Run: Sendable {
    /// The initial noise before scaling.
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

  /// Standard-normal noise in the shape of the latents, one sample from each source.
  package func noise(_ sources: inout [any RandomSource]) -> HostArray {
    let planes = [sources.count, channels, height, width]
    return HostArray(
      sources.indices.flatMap { sources[$0].normals(channels * height * width) }, shape: planes
    ).channelsLast
  }

  /// Takes every step.
  ///
  /// - Parameters:
  ///   - what: the name in messages.
  ///   - initial: the initial noise; nil to draw it.
  ///   - start: data to noise and begin with; nil for noise alone.
  ///   - sources: one random source per picture: initial latents first, then the noise of each step,
  ///     as diffusers draws from one generator per picture.
  ///   - observe: sees every step, and may change the latents that come of it.
  ///   - predict: the model's output for the scaled latents `[n,h,w,c]` at a timestep; `step` counts the calls
  ///     of this run.
  /// - Throws: `CommandError.failure` when the latents end in numbers that are not finite.
  package func run(
    _ what: String, initial: HostArray?, from start: Start? = nil,
    sources: inout [any RandomSource], _ reporter: Reporter,
    observing observe: (inout Step) throws -> Void = { _ in },
    predict: (_ latents: HostArray, _ timestep: Double, _ step: Int) throws -> [Float]
  ) throws -> Run {
    let initial = initial ?? noise(&sources)
    var scheduler = scheduler
    var sample: [Float]
    var first = 0
    if let start {
      first = min(scheduler.begin(at: start.leftOut), scheduler.timesteps.count - 1)
      sample = scheduler.level(first).noisy(start.data.floats, noise: initial.floats)
    } else {
      let scale = scheduler.initialNoiseScale
      sample = initial.floats.map { $0 * scale }
    }
    let timesteps = Array(scheduler.timesteps[first...])
    var run = Run(initial: initial, latents: [], timesteps: timesteps)
    reporter.begin(.step, what)
    for (number, timestep) in timesteps.enumerated() {
      try Interruption.check()
      let call = first + number
      let input = HostArray(scheduler.modelInput(sample, step: call), shape: initial.shape)
      let output = try predict(input, timestep, number)
      let advanced = scheduler.advance(sample, modelOutput: output, step: call) {
        noise(&sources).floats
      }
      var step = Step(
        number: number, count: timesteps.count, timestep: timestep,
        before: HostArray(sample, shape: initial.shape), levelBefore: scheduler.level(call),
        output: output, latents: advanced,
        level: number + 1 < timesteps.count ? scheduler.level(call + 1) : .data)
      try observe(&step)
      sample = step.latents
      run.latents.append(HostArray(sample, shape: initial.shape))
      reporter.progress(.step, what, done: number + 1, of: timesteps.count)
    }
    reporter.end(.step, what)
    if let bad = sample.first(where: { !$0.isFinite }) {
      throw CommandError.failure(
        "\(what) ended in \(bad); the weights, strengths or the guidance are out of range")
    }
    return run
  }
}
