import Foundation

/// The timesteps and noise levels of DPM-Solver++ and UniPC.
///
/// Levels in f64 stored f32; Karras and exponential levels run over the whole training range and
/// their timesteps are rounded. Equals `set_timesteps` of diffusers'
/// `DPMSolverMultistepScheduler` and `UniPCMultistepScheduler`.
struct MultistepLevels: Sendable {
  let timesteps: [Double]
  /// One more than timesteps.
  let sigmas: [Float]

  init(_ config: SchedulerConfig, steps: Int) {
    let steps = max(1, steps)
    let table = SigmaTable(config)
    var times = config.multistepTimesteps(steps)
    var levels = times.map { table.sigma(at: $0) }
    if let respaced = table.respaced(config, steps, from: table.largest, to: table.smallest) {
      times = respaced.map { table.timestep(of: $0).rounded(.toNearestOrEven) }
      levels = respaced
    }
    if config.endsAtTimestepZero {
      // Old versions took only the timesteps from Karras levels, each once.
      times = times.enumerated().filter { $0 == 0 || $1 != times[$0 - 1] }.map(\.element)
      levels = times.map { table.sigma(at: $0) }
    }
    let end = config.endsAtTimestepZero ? .smallest : config.finalLevel
    levels.append(end == .smallest ? min(table.smallest, levels[levels.count - 1]) : 0)
    timesteps = times
    sigmas = levels.map(Float.init)
  }

  func level(_ index: Int) -> SampleLevel {
    let (alpha, sigma, _) = coefficients(index)
    return SampleLevel(signal: Float(alpha), noise: Float(sigma))
  }

  /// `α`, `σ` of the variance-preserving form `α·x₀ + σ·ε`, and `λ = ln(α/σ)`, which is infinite
  /// at level zero.
  func coefficients(_ index: Int) -> (alpha: Double, sigma: Double, lambda: Double) {
    let level = Double(sigmas[index])
    let alpha = 1 / (level * level + 1).squareRoot()
    return (alpha, level * alpha, -log(level))
  }
}
