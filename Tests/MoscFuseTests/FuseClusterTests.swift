import Foundation
import MoscCluster
import MoscEngine
import MoscFuse
import MoscNetworks
import MoscReport
import RunSupport
import TestSupport
import Testing

/// `mosc fuse` by several processes, with threads in their place.
@Suite(.serialized) struct FuseClusterTests {
  private let scratch = Scratch()

  private func request(_ output: String) -> FuseRequest {
    var request = FuseRequest()
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.compiler.cacheFolder = SharedKernels.folder
    request.compiler.threads = 1
    request.inputs = ["edlora_hina.pth", "edlora_kaori.pth"].compactMap {
      FusionInput(spelling: RecordedRun.url($0).path)
    }
    request.output = scratch.path(output)
    (request.size, request.steps) = (64, 1)
    (request.textIterations, request.unetIterations) = (5, 5)
    return request
  }

  /// What each process ended with.
  private func run(_ request: FuseRequest, _ size: Int) -> [String] {
    LocalTransport.ends(
      size, first: { try FuseJob(request, .silent, $0).run() },
      others: { try FusionFollower(request, .silent, $0).run() })
  }

  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: scratch.path(name)))
  }

  /// The fused file, and statistics that are kept, have the bytes of one process.
  @Test func fusionHasTheSameBytes() throws {
    var alone = request("alone/fused.safetensors")
    alone.statistics = scratch.path("alone/stats")
    try FileManager.default.createDirectory(atPath: scratch.path("alone"), withIntermediateDirectories: true)
    try FuseJob(alone, .silent).run()
    for size in [2, 3] {
      let folder = "of-\(size)"
      try FileManager.default.createDirectory(atPath: scratch.path(folder), withIntermediateDirectories: true)
      var request = request("\(folder)/fused.safetensors")
      request.statistics = size == 2 ? scratch.path("\(folder)/stats") : nil
      #expect(run(request, size) == [String](repeating: "", count: size))
      #expect(try bytes("\(folder)/fused.safetensors") == bytes("alone/fused.safetensors"), "\(size) processes")
      guard size == 2 else { continue }
      let names = try FileManager.default.contentsOfDirectory(atPath: scratch.path("alone/stats")).sorted()
      #expect(names.count == 9)
      for name in names {
        #expect(try bytes("\(folder)/stats/\(name)") == bytes("alone/stats/\(name)"), "\(name)")
      }
    }
  }

  /// So has a fusion whose stages follow each other.
  @Test func chainedFusionHasTheSameBytes() throws {
    // A file's name stands in it, so both have one.
    for folder in ["alone", "three"] {
      try FileManager.default.createDirectory(atPath: scratch.path(folder), withIntermediateDirectories: true)
    }
    var request = request("alone/fused.safetensors")
    request.matchesMixOfShow = true
    try FuseJob(request, .silent).run()
    request.output = scratch.path("three/fused.safetensors")
    #expect(run(request, 3) == ["", "", ""])
    #expect(try bytes("three/fused.safetensors") == bytes("alone/fused.safetensors"))
  }

  /// One message for what the first process refuses, while the others wait.
  @Test func oneProcessSaysWhatIsWrong() {
    var request = request("fused.safetensors")
    request.inputs = [.concept(AdapterRequest(path: scratch.path("none.safetensors")))]
    let ends = run(request, 3)
    #expect(ends.count == 3 && ends[0].contains("there is no such file"))
    #expect(ends.dropFirst().allSatisfy { $0 == "silent" })
  }
}
