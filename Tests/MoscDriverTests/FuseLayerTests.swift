import Foundation
import MoscDriver
import MoscFormats
import MoscFuse
import MoscReport
import RunSupport
import TestSupport
import Testing

/// `mosc run fuse_layer`.
@Suite struct FuseLayerTests {
  private let scratch = Scratch()

  private func request(_ input: String, _ solver: FusionSolver = .lbfgs) -> RunRequest {
    var request = RunRequest(
      .procedure(.fuseLayer), input: input, output: scratch.path("solved.safetensors"))
    request.solver = solver
    return request
  }

  @Test(arguments: FusionSolver.allCases) func recordedProblems(solver: FusionSolver) throws {
    let input = RecordedRun.url("lbfgs.safetensors")
    let request = request(input.path, solver)
    try RunJob(request, .silent).run()
    let file = try SafetensorsFile(URL(fileURLWithPath: request.output))
    #expect(file.entries.map(\.name) == ["kv.W", "spatial.W", "text.W"])
    let golden = try SafetensorsFile(input)
    let mse = try JSONValue.parse(Array(try #require(golden.metadata["mse"]).utf8), path: "")
    let found = try JSONValue.parse(
      Array(try #require(file.metadata["objective"]).utf8), path: "")
    for name in ["kv", "spatial", "text"] {
      let before = try #require(mse[name]?["before"]?.double)
      let start = try #require(found[name]?["before"]?.double)
      #expect(abs(start - before) < 1e-5 * before)
      let after = try #require(found[name]?["after"]?.double)
      let reference = try #require(mse[name]?["after"]?.double)
      let slack = solver == .ridge ? 0.02 * before : 0
      #expect(after <= max(1.01 * reference, 1e-6 * before) + slack, "\(name)")
    }
  }

  @Test func wrongFiles() throws {
    let other = RecordedRun.url("fused_sample.safetensors").path
    #expect(throws: FormatError.self) { try RunJob(request(other), .silent).run() }
    let bad = scratch.path("bad.safetensors")
    try SafetensorsFile.write(
      [
        ("a.X", HostArray([1, 2] as [Float], shape: [1, 2])),
        ("a.Y", HostArray([1, .nan] as [Float], shape: [1, 2])),
        ("a.W0", HostArray([1, 2, 3, 4] as [Float], shape: [2, 2])),
      ], to: URL(fileURLWithPath: bad))
    let error = #expect(throws: FormatError.self) {
      try RunJob(request(bad), .silent).run()
    }
    #expect(error?.description.contains("a.Y") == true)
  }
}
