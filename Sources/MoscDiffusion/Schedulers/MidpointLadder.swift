/// Steps that ask the model twice, at their start and at a level halfway in log σ.
///
/// A step to zero asks once. Ancestral steps go down below their end and add noise: `σ_up² = σ′²·(σ² − σ′²)/σ²`,
/// `σ_down² = σ′² − σ_up²`.
struct MidpointLadder: Sendable {
  /// A step from a noise level.
  struct Step: Sendable {
    var from, to: Double
    /// Where the deterministic part goes, and the deviation of the noise that follows.
    var down, up: Double
    /// Where the second call is, nil for none.
    var middle: Double?
  }

  /// The levels that the middle lies between: the start, and one of these.
  enum Target: Sendable { case end, down }

  let steps: [Step]
  /// The step of each call; a step's second call follows its first.
  let stepOfCall: [Int]
  let timesteps: [Double]
  /// Noise levels of each call.
  let sigmas: [Float]
  let initialScale: Float

  init(_ config: SchedulerConfig, steps count: Int, isAncestral: Bool, middleTo target: Target = .down) {
    let ladder = NoiseLadder(config, steps: count)
    let table = SigmaTable(config)
    steps = ladder.timesteps.indices.map { i in
      let (from, to) = (Double(ladder.sigmas[i]), Double(ladder.sigmas[i + 1]))
      let (down, up) = isAncestral ? Self.ancestral(from, to) : (to, 0)
      let end = target == .down ? down : to
      return Step(
        from: from, to: to, down: down, up: up,
        middle: end > 0 ? (from * end).squareRoot() : nil)
    }
    var calls: [(step: Int, timestep: Double, sigma: Float)] = []
    for (i, step) in steps.enumerated() {
      calls.append((i, ladder.timesteps[i], ladder.sigmas[i]))
      if let middle = step.middle {
        calls.append((i, Double(Float(table.timestep(of: middle))), Float(middle)))
      }
    }
    stepOfCall = calls.map(\.step)
    timesteps = calls.map(\.timestep)
    sigmas = calls.map(\.sigma)
    initialScale = ladder.initialScale
  }

  /// The first of a step's calls.
  func firstCall(of step: Int) -> Int { stepOfCall.firstIndex(of: step) ?? step }

  /// The level that an ancestral step goes down to, and the deviation of the noise that it adds.
  static func ancestral(_ from: Double, _ to: Double) -> (down: Double, up: Double) {
    // σ_down = σ′²/σ, without the difference of two squares.
    let down = to * to / from
    return (down, max(0, to * to - down * down).squareRoot())
  }
}
