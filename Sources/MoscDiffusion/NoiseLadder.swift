/// The noise levels and timesteps of the samplers that work on `x₀ + σ·ε`.
///
/// Levels are interpolated in f64 and stored in f32; Karras and exponential levels run between the
/// first and the last level of the spacing, and their timesteps are fractional. Equals what
/// diffusers' `EulerDiscreteScheduler.set_timesteps` computes.
struct NoiseLadder: Sendable {
  let timesteps: [Double]
  /// One more than timesteps.
  let sigmas: [Float]
  /// What standard-normal noise is multiplied by to give the first sample.
  let initialScale: Float

  init(_ config: SchedulerConfig, steps: Int, end: SchedulerConfig.FinalLevel = .zero) {
    let steps = max(1, steps)
    let table = SigmaTable(config)
    let spacing = config.spacing ?? .linspace
    var times = config.timesteps(steps, spacing).map { Double(Float($0)) }
    var levels = times.map { table.sigma(at: $0) }
    if let respaced = table.respaced(config, steps, from: levels[0], to: levels[steps - 1]) {
      levels = respaced
      times = levels.map { Double(Float(table.timestep(of: $0))) }
    }
    levels.append(end == .smallest ? min(table.smallest, levels[levels.count - 1]) : 0)
    timesteps = times
    sigmas = levels.map(Float.init)
    let largest = sigmas.max() ?? 1
    initialScale = spacing == .leading ? (largest * largest + 1).squareRoot() : largest
  }

  /// `x/√(σ² + 1)`, of about unit variance.
  static func scaled(_ sample: [Float], _ sigma: Float) -> [Float] {
    let divisor = (sigma * sigma + 1).squareRoot()
    return sample.map { $0 / divisor }
  }
}
