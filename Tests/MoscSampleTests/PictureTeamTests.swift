import Foundation
import MoscCluster
import MoscEngine
import MoscNetworks
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// `mosc sample` by several processes, with threads in their place.
@Suite(.serialized) struct PictureTeamTests {
  private let scratch = Scratch()

  private func request(_ folder: String) -> SampleRequest {
    var request = SampleRequest()
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.compiler.cacheFolder = SharedKernels.folder
    request.compiler.threads = 1
    (request.width, request.height, request.steps) = (64, 64, 2)
    request.prompts = ["a fox", "a robot"]
    request.seeds = [3, 4, 5]
    request.output = scratch.path(folder) + "/"
    return request
  }

  /// What each process ended with, and what the first one said.
  private func run(
    _ size: Int, _ request: @escaping @Sendable (Int) -> SampleRequest, _ reporter: Reporter = .silent
  ) -> [String] {
    LocalTransport.ends(
      size, first: { try SampleJob(request(0), reporter, PictureTeam($0)).run() },
      others: { try PictureWorker($0, .silent).run() })
  }

  private func files(_ folder: String) throws -> [String: Data] {
    let names = try FileManager.default.contentsOfDirectory(atPath: scratch.path(folder))
    return try Dictionary(
      uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: URL(fileURLWithPath: scratch.path("\(folder)/\($0)")))) })
  }

  @Test func picturesHaveTheSameBytes() throws {
    try SampleJob(request("alone"), .silent).run()
    let expected = try files("alone")
    #expect(expected.count == 6)
    for size in [1, 2, 4] {
      let request = request("of-\(size)")
      #expect(run(size, { _ in request }) == [String](repeating: "", count: size))
      #expect(try files("of-\(size)") == expected, "\(size) processes")
    }
  }

  /// A second pass, regions and batches of several pictures: batches are not cut.
  @Test func batchesAndSecondPassesHaveTheSameBytes() throws {
    var request = request("alone")
    request.batchSize = 2
    request.hires.isOn = true
    request.hires.scale = 1.5
    request.regions.texts = ["box=0,0,0.5,1; prompt=a house"]
    try SampleJob(request, .silent).run()
    request.output = scratch.path("three") + "/"
    let asked = request
    #expect(run(3, { _ in asked }) == ["", "", ""])
    let expected = try files("alone")
    #expect(expected.count == 6)
    #expect(try files("three") == expected)
  }

  /// Names of results come in the order of the pictures, and a prompt file is read by the first process only.
  @Test func namesComeInOrder() throws {
    var request = request("lines")
    try scratch.write("prompts.txt", "a fox\na cat --d 9\na dog\n")
    (request.prompts, request.promptFile) = ([], scratch.path("prompts.txt"))
    request.seeds = [1]
    let names = Names()
    let asked = request
    let ends = run(3, { _ in asked }, Reporter(sink: { _ in }, results: { names.list.append($0) }))
    #expect(ends == ["", "", ""])
    #expect(names.list.map { $0.suffix(13).dropLast() } == ["00000-1.png", "00001-9.png", "00002-1.png"].map { "/" + $0 })
  }

  /// Names that one thread collects.
  private final class Names: @unchecked Sendable {
    var list: [String] = []
  }

  @Test func whatOneProcessMeasuresIsRefused() {
    var request = request("profile")
    request.profiles = true
    let asked = request
    let ends = run(2, { _ in asked })
    #expect(ends.count == 2 && ends[0].hasPrefix("--profile measures one process") && ends[1] == "silent")
  }
}
