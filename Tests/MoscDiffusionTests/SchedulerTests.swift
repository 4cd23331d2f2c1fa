import Foundation
import MoscDiffusion
import MoscFormats
import TestSupport
import Testing

/// Schedulers against trajectories of the upstream classes on an analytic model.
@Suite struct SchedulerTests {
  @Test(arguments: [
    ("ddim", 2.5e-6, 10), ("pndm", 2.5e-6, 4), ("euler", 1.1e-5, 10),
    ("euler_ancestral", 4.5e-6, 6), ("dpmpp_2m", 1.1e-5, 34), ("dpmpp_2m_sde", 1.2e-5, 6),
    ("heun", 1.2e-5, 4), ("lms", 1.1e-5, 4), ("lcm", 2.1e-6, 2), ("ddpm", 2.7e-6, 2),
    ("unipc", 1.1e-5, 8), ("deis", 1e-5, 8), ("tcd", 1e-5, 5),
  ])
  func trajectories(_ name: String, _ limit: Double, _ cases: Int) throws {
    try Replay.check("diffusers/sched_\(name).safetensors", limit: limit, cases: cases)
  }

  /// The samplers of k-diffusion, ComfyUI and the web UI, which ask up to twice a step, in double.
  @Test func trajectoriesOfKDiffusion() throws {
    // A level differs by the rounding of f32, which a timestep of fine steps multiplies.
    try Replay.check(
      "k-diffusion/samplers.safetensors", limit: 1e-5, timesteps: 5e-6, cases: 37)
  }

  /// Noise levels by the definitions of k-diffusion, ComfyUI and the web UI.
  @Test func noiseLevels() throws {
    let text = try Data(contentsOf: Goldens.url("k-diffusion/levels.json"))
    let tables = try #require(try JSONValue.parse(text, path: "levels.json").members)
    #expect(tables.count == 8)
    for (name, lists) in tables.map({ ($0.key, $0.value.array ?? []) }) {
      #expect(lists.count == 5)
      for list in lists.map({ $0.array?.compactMap(\.double) ?? [] }) {
        var config = SchedulerConfig()
        config.levels = try #require(SchedulerConfig.Levels(spelling: name))
        let sigmas = Euler(config, steps: list.count).sigmas
        #expect(sigmas.count == list.count + 1 && sigmas.last == 0)
        for (a, b) in zip(sigmas, list) {
          #expect(abs(Double(a) / b - 1) < 3e-6, "\(name) of \(list.count): \(a), \(b)")
        }
      }
    }
  }

  /// Given levels take the place of all others, with their timesteps; solvers that end above zero stay there.
  @Test func givenLevels() {
    var config = SchedulerConfig()
    (config.sigmas, config.levels) = ([14, 3, 0.5], .karras)
    let euler = Euler(config, steps: 3)
    #expect(euler.sigmas == [14, 3, 0.5, 0])
    #expect(euler.timesteps[0] < 999 && euler.timesteps[0] > 985 && euler.timesteps[2] < 300)
    #expect(DPMSolverMultistep(config, steps: 3).sigmas == [14, 3, 0.5, 0])
    #expect(DPMSolver2(config, steps: 3).timesteps.count == 5)
  }

  /// Noise has the variance that an exact step of the noise process has: data of unit variance comes out of a
  /// model that knows it to be normal.
  @Test(arguments: [SamplerName.dpmppSDE, .dpmpp3MSDE, .dpmpp2SAncestral, .dpm2Ancestral])
  func varianceOfNoise(_ sampler: SamplerName) {
    let count = 4096
    var state: UInt64 = 1
    func normal() -> Float {
      // Twelve uniform numbers: near enough to normal for a variance.
      (0..<12).reduce(Float(-6)) { sum, _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return sum + Float(state >> 40) / Float(1 << 24)
      }
    }
    func normals() -> [Float] { (0..<count).map { _ in normal() } }
    var config = SchedulerConfig()
    (config.spacing, config.prediction, config.levels) = (.linspace, .sample, .karras)
    var scheduler = sampler.scheduler(config, steps: 40)
    let table = SchedulerConfig().alphasCumprod
    var x = normals().map { $0 * scheduler.initialNoiseScale }
    for (step, timestep) in scheduler.timesteps.enumerated() {
      // E[x₀ | x] = x/(σ² + 1) = √ᾱ · x/√(σ² + 1).
      let low = min(Int(timestep), table.count - 2)
      let part = Float(timestep - Double(low))
      let alpha = table[low] + (table[low + 1] - table[low]) * part
      let output = scheduler.modelInput(x, step: step).map { $0 * alpha.squareRoot() }
      x = scheduler.advance(x, modelOutput: output, step: step, noise: normals)
    }
    let variance = x.reduce(0) { $0 + $1 * $1 } / Float(count)
    #expect(abs(variance - 1) < 0.12, "\(variance)")
  }

  /// The ending of diffusers before 0.22.
  @Test func legacyEnding() throws {
    try Replay.check("mix-of-show/dpm_legacy.safetensors", limit: 1.1e-5, cases: 12) {
      $0.endsAtTimestepZero = true
    }
  }

  /// Any scheduler takes any number of steps from one on without a fault.
  @Test(arguments: SamplerName.allCases)
  func fewAndManySteps(_ sampler: SamplerName) {
    let predictions = SchedulerConfig.Prediction.allCases
    for (i, levels) in SchedulerConfig.Levels.allCases.enumerated() {
      for (j, spacing) in SchedulerConfig.Spacing.allCases.enumerated() {
        var config = SchedulerConfig()
        (config.levels, config.spacing) = (levels, spacing)
        (config.prediction, config.stepsOffset) = (predictions[(i + j) % 3], 1)
        for steps in [1, 3, 60] {
          var scheduler = sampler.scheduler(config, steps: steps)
          var x: [Float] = [0.5, -1, 2]
          for step in scheduler.timesteps.indices {
            #expect(0...1000 ~= scheduler.timesteps[step])
            let output = scheduler.modelInput(x, step: step).map { $0 * 0.1 }
            x = scheduler.advance(x, modelOutput: output, step: step) { [0.1, -0.2, 0.3] }
          }
          let label = "\(sampler) \(levels) \(spacing) \(config.prediction) \(steps): \(x)"
          #expect(x.allSatisfy { $0.isFinite }, "\(label)")
        }
      }
    }
  }

  /// Numbers of steps and settings of files at the ends of their ranges end in numbers, not in a trap.
  @Test(arguments: SamplerName.allCases)
  func extremeSettings(_ sampler: SamplerName) {
    for trainSteps in [2, 3, 11] {
      for spacing in SchedulerConfig.Spacing.allCases {
        for levels in SchedulerConfig.Levels.allCases {
          for steps in [Int.min, 0, 1, 2, trainSteps - 1, trainSteps, trainSteps + 1, Int.max] {
            var config = SchedulerConfig()
            (config.trainSteps, config.stepsOffset) = (trainSteps, trainSteps - 1)
            (config.spacing, config.levels, config.solverOrder) = (spacing, levels, 3)
            var scheduler = sampler.scheduler(config, steps: steps, eta: 1)
            #expect(scheduler.timesteps.count >= 1 && scheduler.timesteps.count <= 4 * trainSteps)
            var x: [Float] = [0.5, -1]
            for step in scheduler.timesteps.indices {
              let input = scheduler.modelInput(x, step: step)
              x = scheduler.advance(x, modelOutput: input, step: step) { [0.1, -0.2] }
            }
            #expect(x.count == 2)
          }
        }
      }
    }
  }

  /// Levels that start at no signal at all stay finite.
  @Test func zeroTerminalSignal() {
    var config = SchedulerConfig()
    (config.rescaleBetasZeroSNR, config.spacing) = (true, .trailing)
    config.prediction = .velocity
    let scheduler = Euler(config, steps: 5)
    #expect(abs(scheduler.sigmas[0] - 4096) < 1 && scheduler.sigmas[5] == 0)
  }

  /// `add_noise` and `get_velocity` upstream.
  @Test func forwardProcess() throws {
    let file = try SafetensorsFile(Goldens.url("diffusers/forward_process.safetensors"))
    let schedule = NoiseSchedule(SchedulerConfig())
    let alphas = try file.array("alphas_cumprod").floats
    #expect(zip(schedule.alphas, alphas).allSatisfy { abs($0 / $1 - 1) < 4e-7 })
    let (x, noise) = (try file.array("x").floats, try file.array("noise").floats)
    var (noisy, velocity): ([Float], [Float]) = ([], [])
    let timesteps = try file.array("t").ints
    let n = x.count / timesteps.count
    for (i, t) in timesteps.enumerated() {
      let (a, b) = (Array(x[i * n..<(i + 1) * n]), Array(noise[i * n..<(i + 1) * n]))
      noisy += schedule.noisy(a, noise: b, timestep: t)
      velocity += schedule.velocity(a, noise: b, timestep: t)
    }
    let expected = (try file.array("noisy").floats, try file.array("velocity").floats)
    #expect(Replay.distance(noisy, expected.0) < 3.9e-6)
    #expect(Replay.distance(velocity, expected.1) < 3.9e-6)
  }

  @Test func guidance() {
    #expect(guide(unconditional: [1, 2], conditional: [2, 0], scale: 7.5) == [8.5, -13])
  }
}
