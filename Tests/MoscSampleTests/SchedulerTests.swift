import Foundation
import MoscFormats
import MoscSample
import TestSupport
import Testing

/// Schedulers against trajectories of the upstream classes on an analytic model.
@Suite struct SchedulerTests {
  private struct Case {
    var name: String
    var steps: Int
    var config: SchedulerConfig
    var eta: Double
  }

  private func cases(_ file: SafetensorsFile) throws -> [Case] {
    let text = try #require(file.metadata["cases"])
    let all = try #require(try JSONValue.parse(Array(text.utf8), path: "cases").members)
    return try all.map { member in
      let settings = try #require(member.value["config"]?.members)
      let config = try SchedulerConfig(JSONObject(path: member.key, members: settings))
      return Case(
        name: member.key, steps: try #require(member.value["steps"]?.int), config: config,
        eta: member.value["step"]?["eta"]?.double ?? 0)
    }
  }

  /// Relative L2 difference.
  private func distance(_ a: [Float], _ b: [Float]) -> Double {
    let difference = zip(a, b).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
    let size = b.reduce(0.0) { $0 + pow(Double($1), 2) }
    return (difference / size).squareRoot()
  }

  /// Replays every case of a file; the limit is ten times the reference's own f32 error.
  private func replay(
    _ path: String, limit: Double, _ make: (Case) -> any Scheduler
  ) throws {
    let file = try SafetensorsFile(Goldens.url(path))
    let c = try file.array("c").floats
    let initial = try file.array("x_init").floats
    let cases = try cases(file)
    #expect(!cases.isEmpty)
    for item in cases {
      var scheduler = make(item)
      let timesteps = try file.array("\(item.name).timesteps").doubles
      #expect(scheduler.timesteps.count == timesteps.count, "\(item.name)")
      for (a, b) in zip(scheduler.timesteps, timesteps) {
        #expect(abs(a - b) <= 1e-6 * max(1, b), "\(item.name)")
      }
      let trajectory = try file.array("\(item.name).x").floats
      let noise =
        file["\(item.name).noise"] == nil ? [] : try file.array("\(item.name).noise").floats
      let n = c.count
      var x = initial.map { $0 * scheduler.initialNoiseScale }
      #expect(distance(x, Array(trajectory[..<n])) < 1e-6, "\(item.name) start")
      for step in timesteps.indices {
        let input = scheduler.modelInput(x, step: step)
        let wave = Float(sin(timesteps[step] / 100))
        let output = zip(input, c).map { 0.3 * $0 + wave * $1 }
        x = scheduler.advance(x, modelOutput: output, step: step) {
          Array(noise[step * n..<(step + 1) * n])
        }
        let error = distance(x, Array(trajectory[(step + 1) * n..<(step + 2) * n]))
        #expect(error < limit, "\(path) \(item.name) step \(step): \(error)")
        if !(error < limit) { break }
      }
    }
  }

  @Test func ddim() throws {
    try replay("diffusers/sched_ddim.safetensors", limit: 2.5e-6) {
      DDIM($0.config, steps: $0.steps, eta: $0.eta)
    }
  }

  @Test func pndm() throws {
    try replay("diffusers/sched_pndm.safetensors", limit: 2.5e-6) {
      PNDM($0.config, steps: $0.steps)
    }
  }

  @Test func euler() throws {
    try replay("diffusers/sched_euler.safetensors", limit: 1.1e-5) {
      Euler($0.config, steps: $0.steps)
    }
  }

  @Test func eulerAncestral() throws {
    try replay("diffusers/sched_euler_ancestral.safetensors", limit: 4.5e-6) {
      Euler($0.config, steps: $0.steps, isAncestral: true)
    }
  }

  @Test func dpmSolverMultistep() throws {
    try replay("diffusers/sched_dpmpp_2m.safetensors", limit: 1.1e-5) {
      DPMSolverMultistep($0.config, steps: $0.steps)
    }
  }

  @Test func samplerSpellings() {
    for name in ["Euler a", "euler_ancestral", "k_euler_a", "EulerAncestralDiscreteScheduler"] {
      #expect(SamplerName.parse(name)?.sampler == .eulerAncestral)
    }
    let karras = SamplerName.parse("DPM++ 2M Karras")
    #expect(karras?.sampler == .dpmpp2M && karras?.karras == true)
    #expect(SamplerName.parse("euler b") == nil)
  }

  @Test func seedLists() {
    #expect(SeedList.parse("1,2,5-8") { 0 } == [1, 2, 5, 6, 7, 8])
    #expect(SeedList.parse("-1") { 77 } == [77])
    for bad in ["", "a", "5-2", "1,,2", "1-99999999"] {
      #expect(SeedList.parse(bad) { 0 } == nil)
    }
  }

  @Test func guidance() {
    #expect(guide(unconditional: [1, 2], conditional: [2, 0], scale: 7.5) == [8.5, -13])
  }
}
