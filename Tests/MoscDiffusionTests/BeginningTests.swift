import Foundation
import MoscDiffusion
import MoscFormats
import TestSupport
import Testing

/// Runs that begin with noised data in place of noise alone.
@Suite struct BeginningTests {
  /// Trajectories of diffusers' classes under `set_begin_index`, and what `add_noise` makes at every step.
  @Test func equalsDiffusers() throws {
    let path = "diffusers/beginnings.safetensors"
    let file = try SafetensorsFile(Goldens.url(path))
    let (c, data) = (try file.array("c").floats, try file.array("x_init").floats)
    let start = try file.array("start_noise").floats
    let n = c.count
    let cases = try Replay.cases(file)
    #expect(cases.count == 65)
    for item in cases {
      let sampler = try #require(SamplerName.named(by: item.config, className: item.className))
      var scheduler = sampler.scheduler(item.config, steps: item.steps)
      let first = scheduler.begin(at: try #require(item.begin))
      let timesteps = try file.array("\(item.name).timesteps").doubles
      #expect(scheduler.timesteps.count - first == timesteps.count, "\(item.name)")
      #expect(
        sampler.scheduler(item.config, steps: item.steps).calls(leavingOut: item.begin ?? 0)
          == timesteps.count)
      for (a, b) in zip(scheduler.timesteps[first...], timesteps) {
        #expect(abs(a - b) <= 1e-6 * max(1, b), "\(item.name)")
      }
      let trajectory = try file.array("\(item.name).x").floats
      let noised = try file.array("\(item.name).noised").floats
      let noise = file["\(item.name).noise"] == nil ? [] : try file.array("\(item.name).noise").floats
      var drawn = 0
      var x = scheduler.level(first).noisy(data, noise: start)
      for step in timesteps.indices {
        let level = scheduler.level(first + step).noisy(data, noise: start)
        #expect(Replay.distance(level, Array(noised[step * n..<(step + 1) * n])) < 2e-6, "\(item.name) level \(step)")
        let wave = Float(sin(timesteps[step] / 100))
        let output = zip(scheduler.modelInput(x, step: first + step), c).map { 0.3 * $0 + wave * $1 }
        x = scheduler.advance(x, modelOutput: output, step: first + step) {
          drawn += 1
          return Array(noise[(drawn - 1) * n..<drawn * n])
        }
        let error = Replay.distance(x, Array(trajectory[(step + 1) * n..<(step + 2) * n]))
        #expect(error < 1.2e-5, "\(item.name) step \(step): \(error)")
      }
      #expect(drawn * n == noise.count, "\(item.name) draws")
    }
  }

  /// A model that knows data and noise leads every sampler from every step to the data, through samples that
  /// hold as much of it as `level` says.
  @Test(arguments: SamplerName.allCases)
  func levelsAreTrue(_ sampler: SamplerName) {
    let data: [Float] = [0.5, -1, 2]
    let noise: [Float] = [-0.7, 1.3, 0.2]
    for (spacing, skips) in [(SchedulerConfig.Spacing.leading, true), (.leading, false), (.trailing, true), (.linspace, true)] {
      // These go on by even strides, which only one spacing has.
      if [.ddim, .pndm].contains(sampler), spacing != .leading { continue }
      for (steps, begin) in [(1, 0), (7, 0), (7, 1), (7, 2), (7, 5), (7, 6), (24, 3), (40, 2)] {
        var config = SchedulerConfig()
        (config.spacing, config.prediction, config.stepsOffset) = (spacing, .epsilon, 1)
        config.skipPrkSteps = skips
        var scheduler = sampler.scheduler(config, steps: steps, eta: 0)
        let first = scheduler.begin(at: begin)
        var x = scheduler.level(first).noisy(data, noise: noise)
        let label = "\(sampler) \(spacing) \(begin) of \(steps)"
        #expect(scheduler.firstCall(of: begin) == first, "\(label)")
        for later in begin..<steps where sampler != .restart {
          // As noisy as a run that begins there.
          let level = sampler.scheduler(config, steps: steps).level(leavingOut: later)
          #expect(abs(scheduler.level(scheduler.firstCall(of: later)).ratio / level.ratio - 1) < 1e-5, "\(label) \(later)")
        }
        for call in first..<scheduler.timesteps.count {
          let level = scheduler.level(call)
          // What noise there is in the sample, whoever drew it.
          let output = zip(x, data).map { ($0 - level.signal * $1) / level.noise }
          x = scheduler.advance(x, modelOutput: output, step: call) { noise }
          let back = level.data(level.noisy(data, noise: noise), noise, .epsilon)
          #expect(zip(back, data).allSatisfy { abs($0 - $1) < 1e-4 * max(1, level.ratio) }, "\(label)")
          // Half a stride is rounded.
          let isRounded = sampler == .pndm && !skips && begin == 0
          if !scheduler.needsNoise, call + 1 < scheduler.timesteps.count, !isRounded {
            let expected = scheduler.level(call + 1).noisy(data, noise: noise)
            #expect(Replay.distance(x, expected) < 2e-4, "\(label) before call \(call + 1)")
          }
        }
        // Some end at the least level there is, which is 0.03.
        #expect(zip(x, data).allSatisfy { abs($0 - $1) < 0.06 }, "\(label): \(x)")
      }
    }
  }

  /// The three kinds of predictions stand for the same data.
  @Test func dataOfPredictions() {
    let (data, noise): ([Float], [Float]) = ([0.5, -1], [1.5, 0.25])
    for level in [SampleLevel(sigma: 3), SampleLevel(alpha: 0.2)] {
      let x = level.noisy(data, noise: noise)
      let size = (level.signal * level.signal + level.noise * level.noise).squareRoot()
      let (a, b) = (level.signal / size, level.noise / size)
      let velocity = zip(data, noise).map { a * $1 - b * $0 }
      for (output, kind) in [(noise, SchedulerConfig.Prediction.epsilon), (velocity, .velocity), (data, .sample)] {
        let found = level.data(x, output, kind)
        #expect(zip(found, data).allSatisfy { abs($0 - $1) < 1e-5 }, "\(kind)")
      }
    }
  }
}
