import Foundation
import MoscDiffusion
import MoscFormats
import MoscReport

/// `mosc run scheduler`: follows a scheduler on an analytic model.
///
/// The model is `ε(x, t) = 0.3 · s(x, t) + sin(t/100) · c`, `s` being the scheduler's scaling of
/// its input. The file holds `x_init` (plain noise), `c` and the metadata key `cases`, a JSON
/// object from case name to `{scheduler, config, steps}`. For each case the result holds
/// `<case>.timesteps` and `<case>.x`, the sample before each step and after the last. Noise is
/// `<case>.noise`.
package struct SchedulerReplay {
  package let request: RunRequest
  package let reporter: Reporter

  package init(_ request: RunRequest, _ reporter: Reporter) {
    self.request = request
    self.reporter = reporter
  }

  package func run() throws {
    let output = try OutputFile(request.output)
    let file = try SafetensorsFile(URL(fileURLWithPath: request.input))
    let start = try file.array("x_init")
    let c = try file.array("c").floats
    guard c.count == start.count else {
      throw FormatError(
        request.input, "tensor \"c\"",
        "has \(c.count) numbers, expected \(start.count) as \"x_init\" has")
    }
    var results: [(name: String, array: HostArray)] = []
    for scenario in try scenarios(file) {
      guard scenario.config.stepRange.contains(scenario.steps) else {
        throw FormatError(
          request.input, "case \(scenario.name)",
          "has \(scenario.steps) steps, expected \(scenario.config.stepRange.lowerBound) to "
            + "\(scenario.config.stepRange.upperBound)")
      }
      let noise = try file["\(scenario.name).noise"].map { try file.array($0.name).floats } ?? []
      let (timesteps, samples) = try Self.follow(scenario, start.floats, c, noise)
      results.append(
        ("\(scenario.name).timesteps", HostArray(timesteps, shape: [timesteps.count])))
      results.append(
        ("\(scenario.name).x",
          HostArray(samples.flatMap { $0 }, shape: [samples.count] + start.shape)))
    }
    try SafetensorsFile.write(results, to: output.url)
  }

  /// A scheduler and its settings.
  package struct Scenario: Sendable {
    package var name: String
    package var sampler: SamplerName
    package var config: SchedulerConfig
    package var steps: Int
    /// How much of the noise DDIM or TCD puts back, nil for what is usual.
    package var eta: Double?
  }

  private func scenarios(_ file: SafetensorsFile) throws -> [Scenario] {
    guard let text = file.metadata["cases"] else {
      guard let wanted = request.sampler, let steps = request.steps else {
        throw CommandError.usage(
          "'\(request.input)' names no cases; give --sampling-method and --steps")
      }
      var config = SchedulerConfig()
      wanted.apply(to: &config)
      if let levels = request.levels { config.levels = levels }
      return [Scenario(name: "run", sampler: wanted.sampler, config: config, steps: steps)]
    }
    let path = "\(request.input), cases"
    let cases = try JSONValue.parse(Data(text.utf8), path: path)
    var result: [Scenario] = []
    for member in cases.members ?? [] {
      guard let steps = member.value["steps"]?.int, let fields = member.value["config"]?.members,
        let scheduler = member.value["scheduler"]?.string
      else {
        throw FormatError(path, member.key, "expected 'steps', 'config' and 'scheduler'")
      }
      let config = try SchedulerConfig(JSONObject(path: path, members: fields))
      guard let name = SamplerName.named(by: config, className: scheduler) else {
        reporter.warn("case \(member.key): scheduler '\(scheduler)' is not supported, left out")
        continue
      }
      if let wanted = request.sampler, wanted.sampler != name { continue }
      try config.check(for: name)
      let eta = member.value["step"]?["eta"]?.double
      result.append(
        Scenario(name: member.key, sampler: name, config: config, steps: steps, eta: eta))
    }
    return result
  }

  /// The timesteps, and the sample before each step and after the last.
  package static func follow(
    _ scenario: Scenario, _ start: [Float], _ c: [Float], _ noise: [Float]
  ) throws -> ([Double], [[Float]]) {
    var scheduler: any Scheduler = scenario.sampler.scheduler(
      scenario.config, steps: scenario.steps, eta: scenario.eta)
    var sample = start.map { $0 * scheduler.initialNoiseScale }
    var samples = [sample]
    // Not every step of a sampler that needs noise draws some.
    var drawn = 0
    for (step, timestep) in scheduler.timesteps.enumerated() {
      let input = scheduler.modelInput(sample, step: step)
      let factor = Float(sin(timestep / 100))
      let output = zip(input, c).map { 0.3 * $0 + factor * $1 }
      sample = scheduler.advance(sample, modelOutput: output, step: step) {
        let range = drawn..<drawn + start.count
        drawn = range.upperBound
        return range.upperBound <= noise.count
          ? Array(noise[range]) : [Float](repeating: 0, count: start.count)
      }
      guard drawn <= noise.count else {
        throw CommandError.failure(
          "case \(scenario.name) needs '\(scenario.name).noise' for step \(step + 1) of "
            + "\(scheduler.timesteps.count)")
      }
      samples.append(sample)
    }
    return (scheduler.timesteps, samples)
  }
}
