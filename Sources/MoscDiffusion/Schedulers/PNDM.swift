/// Pseudo linear multistep; equals diffusers' `PNDMScheduler`, with or without the Runge–Kutta
/// start.
///
/// - Source: Liu et al. 2022, eq. 9, 12 and algorithm 2.
package struct PNDM: Scheduler {
  package private(set) var timesteps: [Double]
  /// The timestep of each step, the largest first.
  private let grid: [Double]
  private let alphas: [Float]
  private let finalAlpha: Float
  private let stride: Int
  private let prediction: SchedulerConfig.Prediction
  /// The first timesteps that the Runge–Kutta start takes, four per step.
  private var startTimesteps: [Double]
  private var history: [[Float]] = []
  private var kept: [Float]?
  private var average: [Float] = []
  private var counter = 0
  /// How many of the first steps are left out.
  private var leftOut = 0

  package init(_ config: SchedulerConfig, steps: Int) {
    let steps = max(1, steps)
    alphas = config.alphasCumprod
    finalAlpha = config.setAlphaToOne ?? false ? 1 : alphas[0]
    stride = config.trainSteps / steps
    prediction = config.prediction
    let rising = Array(
      config.timesteps(steps, config.spacing ?? .leading)
        .map { $0.rounded(.toNearestOrEven) }.reversed())
    grid = rising.reversed()
    if config.skipPrkSteps || steps < 4 {
      startTimesteps = []
      timesteps = Self.visits(grid[...])
    } else {
      let half = Double(config.trainSteps / steps / 2)
      let doubled = rising.suffix(4).flatMap { [$0, $0 + half] }
      let repeated: [Double] = doubled.dropLast().flatMap { [$0, $0] }
      let start: [Double] = repeated[1..<repeated.count - 1].reversed()
      startTimesteps = start
      timesteps = start + rising[..<(rising.count - 3)].reversed()
    }
  }

  /// The timesteps of the multistep part: the second is visited twice, and the first visit only estimates.
  private static func visits(_ grid: ArraySlice<Double>) -> [Double] {
    Array(grid.prefix(2) + grid.dropFirst())
  }

  package func level(_ call: Int) -> SampleLevel {
    SampleLevel(alpha: alphas[min(max(Int(timesteps[call]), 0), alphas.count - 1)])
  }

  /// Begins anew with the multistep part, which estimates its first slope from two visits. Upstream leaves the
  /// second visit where it is for a whole run, so that later beginnings end one noise level too high.
  package mutating func begin(at step: Int) -> Int {
    guard step > 0 else { return 0 }
    (leftOut, startTimesteps) = (step, [])
    timesteps = Self.visits(grid[step...])
    return 0
  }

  package func firstCall(of step: Int) -> Int {
    if step <= leftOut { return 0 }
    // Four calls a step at first, or a second one of the first.
    let more = startTimesteps.isEmpty ? 1 : 3 * min(step, startTimesteps.count / 4)
    return step - leftOut + more
  }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    defer { counter += 1 }
    let t = Int(timesteps[step])
    return counter < startTimesteps.count
      ? rungeKutta(sample, modelOutput, t) : multistep(sample, modelOutput, t)
  }

  private mutating func rungeKutta(_ sample: [Float], _ output: [Float], _ t: Int) -> [Float] {
    let previous = t - (counter % 2 == 1 ? 0 : stride / 2)
    let start = Int(startTimesteps[counter / 4 * 4])
    var used = output
    switch counter % 4 {
    case 0:
      average = output.map { $0 * (1 / 6) }
      history.append(output)
      kept = sample
    case 1, 2:
      average = combine([(1, average), (1.0 / 3, output)])
    default:
      used = combine([(1, average), (1.0 / 6, output)])
    }
    return transfer(kept ?? sample, used, from: start, to: previous)
  }

  private mutating func multistep(_ sample: [Float], _ output: [Float], _ t: Int) -> [Float] {
    var (from, to) = (t, t - stride)
    var sample = sample
    if counter != 1 {
      history = history.suffix(3) + [output]
    } else {
      (from, to) = (t + stride, t)
    }
    let h = Array(history.reversed())
    let used: [Float]
    if h.count == 1 && counter == 0 {
      used = output
      kept = sample
    } else if h.count == 1 {
      used = combine([(0.5, output), (0.5, h[0])])
      sample = kept ?? sample
      kept = nil
    } else if h.count == 2 {
      used = combine([(1.5, h[0]), (-0.5, h[1])])
    } else if h.count == 3 {
      used = combine([(23.0 / 12, h[0]), (-16.0 / 12, h[1]), (5.0 / 12, h[2])])
    } else {
      used = combine([
        (55.0 / 24, h[0]), (-59.0 / 24, h[1]), (37.0 / 24, h[2]), (-9.0 / 24, h[3]),
      ])
    }
    return transfer(sample, used, from: from, to: to)
  }

  /// The transfer φ(x, ε, t, t′) of eq. 9.
  private func transfer(
    _ sample: [Float], _ output: [Float], from t: Int, to previous: Int
  ) -> [Float] {
    let a = Double(alphas[min(max(t, 0), alphas.count - 1)])
    let aPrevious = Double(previous >= 0 ? alphas[min(previous, alphas.count - 1)] : finalAlpha)
    let (root, noiseRoot) = (a.squareRoot(), (1 - a).squareRoot())
    let epsilon: [Float]
    switch prediction {
    case .epsilon: epsilon = output
    case .velocity: epsilon = combine([(Float(root), output), (Float(noiseRoot), sample)])
    case .sample:
      epsilon = combine([(Float(1 / noiseRoot), sample), (Float(-root / noiseRoot), output)])
    }
    let denominator =
      a * (1 - aPrevious).squareRoot() + (a * (1 - a) * aPrevious).squareRoot()
    return combine([
      (Float((aPrevious / a).squareRoot()), sample),
      (Float(-(aPrevious - a) / denominator), epsilon),
    ])
  }
}
