import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscReport
import MoscTrain
import TestSupport
import Testing

/// Training of a very small judge.
@Suite(.serialized) struct JudgeTests {
  private let scratch = Scratch()
  private static let names = ["red", "blue", "green", "white"]
  private static let colours: [[UInt8]] = [[230, 20, 20], [20, 20, 230], [20, 200, 20], [250, 250, 250]]

  /// Pictures of four colours with captions, and what is wrong about them.
  private func pictures(_ name: String, side: Int = 24) throws -> String {
    let folder = URL(fileURLWithPath: scratch.path(name))
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for index in 0..<16 {
      // Every second picture is held out: both halves have all colours.
      let kind = index / 2 % 4
      let (colour, other) = (Self.colours[kind], Self.names[(kind + 1) % 4])
      let pixels = (0..<side * side).flatMap { place in
        colour.map { UInt8(clamping: Int($0) - place % 7 - index) }
      }
      try PNG.write(
        PixelImage(width: side, height: side, pixels: pixels),
        to: folder.appending(path: "\(index).png"))
      try Data("a \(Self.names[kind]) cat\n".utf8)
        .write(to: folder.appending(path: "\(index).txt"))
      try Data("{\"wrong\": {\"colour\": \"a \(other) cat\"}}".utf8)
        .write(to: folder.appending(path: "\(index).json"))
    }
    return folder.path
  }

  private func request(_ output: String, _ data: String) -> PretrainRequest {
    var request = PretrainRequest(data: data, output: scratch.path(output))
    request.configuration = Goldens.url("clip").path
    request.stages = [.judge]
    request.precision = .f32
    request.compiler.cacheFolder = SharedKernels.folder
    request.compiler.threads = 2
    request.denoiser = PretrainingRecipe(steps: 32, batch: 8, learningRate: 2e-3, warmUp: 4)
    request.denoiser.averageDecay = 0.5
    (request.validation, request.logEvery, request.saveEvery) = (8, 8, 100)
    request.savedType = .f32
    return request
  }

  @Test func lossesFallAndARunGoesOn() throws {
    let data = try pictures("data")
    var request = request("whole", data)
    try PretrainJob(request, .silent).run()
    let text = try String(contentsOfFile: scratch.path("whole/training/judge.jsonl"), encoding: .utf8)
    let lines = try text.split(separator: "\n").map { try JSONValue.parse(Array($0.utf8), path: "log") }
    let held = lines.compactMap { $0["validation_loss"]?.double }
    #expect(held.count >= 2)
    let (end, begin) = (try #require(held.last), try #require(held.first))
    #expect(end < 0.1 * begin)
    let missed = lines.compactMap { $0["validation_error"]?.double }
    #expect(missed.allSatisfy { 0...1 ~= $0 })

    let model = try CLIPModelFolder(at: URL(fileURLWithPath: request.output))
    let weights = try model.weights()
    #expect(weights.files.files[0].weight("logit_scale")?.shape == [])

    request.output = scratch.path("parts")
    request.stopAfter = 10
    try PretrainJob(request, .silent).run()
    request.resumes = true
    request.stopAfter = nil
    try PretrainJob(request, .silent).run()
    for path in ["model.safetensors", "training/judge.safetensors"] {
      let whole = try Data(contentsOf: URL(fileURLWithPath: scratch.path("whole/\(path)")))
      let parts = try Data(contentsOf: URL(fileURLWithPath: scratch.path("parts/\(path)")))
      #expect(parts == whole, "\(path)")
    }
    request.denoiser.batch = 4
    #expect { try PretrainJob(request, .silent).run() } throws: {
      String(describing: $0).contains("has --batch 8, this run has 4")
    }
    // From other weights there is less to learn.
    var again = self.request("again", data)
    (again.start, again.denoiser.steps) = (scratch.path("whole"), 1)
    try PretrainJob(again, .silent).run()
    let first = try String(contentsOfFile: scratch.path("again/training/judge.jsonl"), encoding: .utf8)
      .split(separator: "\n").first.map { try JSONValue.parse(Array($0.utf8), path: "log") }
    let anew = try #require(first?["validation_loss"]?.double)
    #expect(anew < 0.1 * begin)
  }

  @Test func badData() throws {
    func fault(_ data: String, _ output: String) -> String {
      do {
        try PretrainJob(self.request(output, data), .silent).run()
        return ""
      } catch {
        return String(describing: error)
      }
    }
    let small = fault(try pictures("small", side: 18), "a")
    #expect(small.contains("is 18×18, expected 24×24"), "\(small)")
    let data = try pictures("data")
    try Data("{\"wrong\": [\"a dog\"]}".utf8).write(to: URL(fileURLWithPath: "\(data)/3.json"))
    let list = fault(data, "b")
    #expect(list.contains("3.json") && list.contains("expected an object from kinds"), "\(list)")
    var request = request("c", data)
    request.configuration = scratch.path("none")
    #expect { try PretrainJob(request, .silent).run() } throws: {
      String(describing: $0).contains("no config.json")
    }
  }
}
