import Foundation
import MoscDiffusion
import MoscFormats
import TestSupport
import Testing

/// Replays the trajectories of upstream classes on an analytic model.
enum Replay {
  /// A recorded run and its settings.
  struct Case {
    var name: String
    var steps: Int
    var config: SchedulerConfig
    var eta: Double?
    /// How many of the first steps are left out.
    var begin: Int?
    var className: String
    var initialScale: Float
  }

  static func cases(_ file: SafetensorsFile) throws -> [Case] {
    let text = try #require(file.metadata["cases"])
    let all = try #require(try JSONValue.parse(Array(text.utf8), path: "cases").members)
    return try all.map { member in
      let settings = try #require(member.value["config"]?.members)
      let config = try SchedulerConfig(JSONObject(path: member.key, members: settings))
      return Case(
        name: member.key, steps: try #require(member.value["steps"]?.int), config: config,
        eta: member.value["step"]?["eta"]?.double,
        begin: member.value["begin"]?.int,
        className: try #require(member.value["scheduler"]?.string),
        initialScale: Float(try #require(member.value["init_noise_sigma"]?.double)))
    }
  }

  /// Relative L2 difference.
  static func distance(_ a: [Float], _ b: [Float]) -> Double {
    let difference = zip(a, b).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
    let size = b.reduce(0.0) { $0 + pow(Double($1), 2) }
    return (difference / size).squareRoot()
  }

  /// Compares every case of a file, and gives the worst difference.
  ///
  /// - Parameters:
  ///   - limit: ten times the reference's own f32 error.
  ///   - timeLimit: that of timesteps, relative.
  @discardableResult
  static func check(
    _ path: String, limit: Double, timesteps timeLimit: Double = 1e-6, cases count: Int,
    adjust: (inout SchedulerConfig) -> Void = { _ in }
  ) throws -> Double {
    let file = try SafetensorsFile(Goldens.url(path))
    let c = try file.array("c").floats
    let initial = try file.array("x_init").floats
    let cases = try cases(file)
    #expect(cases.count == count)
    var worst = 0.0
    for item in cases {
      var config = item.config
      adjust(&config)
      let sampler = try #require(SamplerName.named(by: config, className: item.className))
      var scheduler = sampler.scheduler(config, steps: item.steps, eta: item.eta)
      let timesteps = try file.array("\(item.name).timesteps").doubles
      #expect(scheduler.timesteps.count == timesteps.count, "\(item.name)")
      for (a, b) in zip(scheduler.timesteps, timesteps) {
        #expect(abs(a - b) <= timeLimit * max(1, b), "\(item.name)")
      }
      #expect(abs(scheduler.initialNoiseScale / item.initialScale - 1) < 1e-6, "\(item.name)")
      let trajectory = try file.array("\(item.name).x").floats
      let noise =
        file["\(item.name).noise"] == nil ? [] : try file.array("\(item.name).noise").floats
      #expect(scheduler.needsNoise == !noise.isEmpty, "\(item.name)")
      let n = c.count
      var drawn = 0
      var x = initial.map { $0 * scheduler.initialNoiseScale }
      #expect(distance(x, Array(trajectory[..<n])) < 1e-6, "\(item.name) start")
      for step in timesteps.indices {
        let input = scheduler.modelInput(x, step: step)
        let wave = Float(sin(timesteps[step] / 100))
        let output = zip(input, c).map { 0.3 * $0 + wave * $1 }
        x = scheduler.advance(x, modelOutput: output, step: step) {
          drawn += 1
          return Array(noise[(drawn - 1) * n..<drawn * n])
        }
        let error = distance(x, Array(trajectory[(step + 1) * n..<(step + 2) * n]))
        worst = max(worst, error)
        #expect(error < limit, "\(path) \(item.name) step \(step): \(error)")
        if !(error < limit) { break }
      }
      #expect(drawn * n == noise.count, "\(item.name) draws")
    }
    return worst
  }
}
