/// Heun's steps that go back up to a higher noise level and come down again ("Restart"); equals the web UI's
/// `restart_sampler`.
///
/// From 20 steps on, part of them is kept for a second way down from about 2 to about 0.1 (from 36 on, for two), and
/// the levels of all ways are Karras' between the ends of those asked for; below 20 it is Heun's method. Where a
/// way starts at the level of the last one but for rounding, upstream adds the noise of the rounding; here none is.
/// - Source: Xu et al. 2023 (Restart sampling), algorithm 1.
package struct Restart: Scheduler {
  /// A step between two levels, and the deviation of the noise after it.
  private struct Leg {
    var from, to: Double
    var noise = 0.0
  }

  package private(set) var timesteps: [Double] = []
  package let initialNoiseScale: Float
  private let asked: NoiseLadder
  private let table: SigmaTable
  private var legs: [Leg] = []
  /// The leg of each call; a leg's second call follows its first.
  private var legOfCall: [Int] = []
  private var sigmas: [Float] = []
  private let prediction: SchedulerConfig.Prediction
  /// The start of a leg and its slope there, between the two calls.
  private var pending: (sample: [Float], slope: [Float])?

  package init(_ config: SchedulerConfig, steps: Int) {
    asked = NoiseLadder(config, steps: steps)
    table = SigmaTable(config)
    initialNoiseScale = asked.initialScale
    prediction = config.prediction
    plan(leavingOut: 0)
  }

  package var needsNoise: Bool { legs.contains { $0.noise > 0 } }
  package func level(_ call: Int) -> SampleLevel { SampleLevel(sigma: sigmas[call]) }

  /// As the web UI does: the levels that are left are what was asked for.
  package mutating func begin(at step: Int) -> Int {
    plan(leavingOut: step)
    return 0
  }

  /// The first call that is no noisier than the step was meant to be, since levels are placed anew.
  package func firstCall(of step: Int) -> Int {
    sigmas.firstIndex { $0 <= asked.sigmas[step] * (1 + 1e-6) } ?? sigmas.count
  }

  private mutating func plan(leavingOut steps: Int) {
    legs = Self.legs(asked.sigmas.dropFirst(steps).map(Double.init))
    let calls = legs.enumerated().flatMap { i, leg in
      [(i, leg.from)] + (leg.to > 0 ? [(i, leg.to)] : [])
    }
    legOfCall = calls.map(\.0)
    sigmas = calls.map { Float($0.1) }
    timesteps = calls.map { Double(Float(table.timestep(of: $0.1))) }
  }

  private static func legs(_ asked: [Double]) -> [Leg] {
    let steps = asked.count - 1
    var (sigmas, length, times) = (asked, 0, 0)
    if steps >= 20 {
      (length, times) = steps >= 36 ? (steps / 4, 2) : (9, 1)
      sigmas =
        SigmaTable.karras(steps - length * times, from: asked[0], to: asked[steps - 1]) + [0]
    }
    func nearest(_ level: Double) -> Int {
      sigmas.indices.min { abs(sigmas[$0] - level) < abs(sigmas[$1] - level) } ?? 0
    }
    let (bottom, top) = (nearest(0.1), nearest(2))
    var path: [Leg] = []
    for i in 1..<sigmas.count {
      path.append(Leg(from: sigmas[i - 1], to: sigmas[i]))
      guard i == bottom, top < bottom else { continue }
      let way = SigmaTable.karras(length + 1, from: sigmas[top], to: sigmas[bottom])
      for _ in 0..<times { path += zip(way, way.dropFirst()).map { Leg(from: $0, to: $1) } }
    }
    for i in path.indices.dropLast() {
      let (here, next) = (path[i].to, path[i + 1].from)
      // A way starts where the last one ended but for rounding, or above.
      if next > here * (1 + 1e-9) { path[i].noise = (next * next - here * here).squareRoot() }
    }
    return path
  }

  package func modelInput(_ sample: [Float], step: Int) -> [Float] {
    NoiseLadder.scaled(sample, sigmas[step])
  }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    let leg = legs[legOfCall[step]]
    let data = prediction.data(sample, modelOutput, level: sigmas[step])
    let slope = sample.indices.map { (sample[$0] - data[$0]) / sigmas[step] }
    let distance = leg.to - leg.from
    var terms: [(Float, [Float])]
    if let (start, first) = pending {
      pending = nil
      terms = [(1, start), (Float(distance / 2), first), (Float(distance / 2), slope)]
    } else {
      terms = [(1, sample), (Float(distance), slope)]
      if leg.to > 0 {
        pending = (sample, slope)
        return combine(terms)
      }
    }
    if leg.noise > 0 { terms.append((Float(leg.noise), noise())) }
    return combine(terms)
  }
}
