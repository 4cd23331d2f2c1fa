import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport
import MoscSample
import MoscTrain
import TestSupport
import Testing

/// Training of a small ControlNet.
@Suite(.serialized) struct ControlTrainingTests {
  private let scratch = Scratch()
  private static let base = Goldens.url("mix-of-show/base").path

  private func write(_ image: PixelImage, _ path: String) throws {
    let url = URL(fileURLWithPath: scratch.path(path))
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try PNG.encode(image).write(to: url)
  }

  /// Halves of pictures that are light, which captions do not say; and the same halves as drawings.
  private func pictures() throws -> String {
    for index in 0..<16 {
      let side = 32
      let pixels = (0..<side * side).flatMap { place -> [UInt8] in
        let isLight = [place % side < 16, place % side >= 16, place / side < 16, place / side >= 16][index / 2 % 4]
        return [UInt8](repeating: isLight ? 240 : 15, count: 3)
      }
      let image = PixelImage(width: side, height: side, pixels: pixels)
      try write(image, "data/\(index).png")
      try write(image, "drawn/\(index).png")
      try Data("a cat\n".utf8).write(to: URL(fileURLWithPath: scratch.path("data/\(index).txt")))
    }
    return scratch.path("data")
  }

  private func request(_ output: String) throws -> PretrainRequest {
    var request = PretrainRequest(data: try pictures(), output: scratch.path(output))
    request.start = Self.base
    request.stages = [.control]
    request.controlData = scratch.path("drawn")
    request.precision = .f32
    request.compiler.cacheFolder = SharedKernels.folder
    request.compiler.threads = 2
    request.denoiser = PretrainingRecipe(steps: 30, batch: 4, learningRate: 2e-3, warmUp: 2)
    request.denoiser.averageDecay = 0.5
    (request.validation, request.logEvery, request.saveEvery) = (8, 10, 100)
    request.savedType = .f32
    return request
  }

  private func losses(_ output: String) throws -> [Double] {
    let text = try String(
      contentsOfFile: scratch.path("\(output)/training/control.jsonl"), encoding: .utf8)
    return try text.split(separator: "\n").compactMap {
      try JSONValue.parse(Array($0.utf8), path: output)["validation_loss"]?.double
    }
  }

  @Test func lossesFallAndARunGoesOn() throws {
    var request = try request("whole")
    try PretrainJob(request, .silent).run()
    let held = try losses("whole")
    let (begin, end) = (try #require(held.first), try #require(held.last))
    #expect(end < 0.97 * begin, "\(held)")

    // It is a ControlNet that can be drawn with, and the model is not part of it.
    let names = try SafetensorsFile(
      URL(fileURLWithPath: "\(request.output)/diffusion_pytorch_model.safetensors")).entries.map(\.name)
    #expect(names.contains("controlnet_mid_block.weight") && names.contains("mid_block.resnets.0.conv1.weight"))
    #expect(!names.contains { $0.hasPrefix("up_blocks.") || $0.hasPrefix("text_model.") })
    var sample = SampleRequest()
    sample.model = ModelOptions(path: Self.base, precision: .f32)
    sample.prompt = "a cat"
    (sample.width, sample.height, sample.steps) = (32, 32, 2)
    sample.compiler.cacheFolder = SharedKernels.folder
    func drawn(_ name: String, _ strength: Double) throws -> Data {
      var sample = sample
      sample.output = scratch.path(name)
      sample.control.nets = [ControlRequest(net: request.output, image: scratch.path("drawn/0.png"))]
      sample.control.nets[0].strength = strength
      try SampleJob(sample, .silent).run()
      return Data(try PNG.decode(try Data(contentsOf: URL(fileURLWithPath: sample.output)), path: name).image.pixels)
    }
    #expect(try drawn("with.png", 1) != (try drawn("without.png", 0)))

    request.output = scratch.path("parts")
    request.stopAfter = 11
    try PretrainJob(request, .silent).run()
    (request.resumes, request.stopAfter) = (true, nil)
    try PretrainJob(request, .silent).run()
    for path in ["diffusion_pytorch_model.safetensors", "training/control.safetensors"] {
      let whole = try Data(contentsOf: URL(fileURLWithPath: scratch.path("whole/\(path)")))
      let parts = try Data(contentsOf: URL(fileURLWithPath: scratch.path("parts/\(path)")))
      #expect(parts == whole, "\(path)")
    }
    request.controlPreprocessor = .invert
    #expect { try PretrainJob(request, .silent).run() } throws: {
      String(describing: $0).contains("--control-preprocess none, this run has invert")
    }
  }

  @Test func edgesAreMadeOfThePicturesThemselves() throws {
    var request = try request("edges")
    request.controlData = nil
    request.denoiser.steps = 2
    try PretrainJob(request, .silent).run()
    let state = try SafetensorsFile(
      URL(fileURLWithPath: scratch.path("edges/training/control.safetensors")))
    #expect(state.metadata.values.contains { $0.contains("canny") })
  }

  @Test func whatDoesNotFitIsRefused() throws {
    func fault(_ change: (inout PretrainRequest) throws -> Void) throws -> String {
      var request = try request("net")
      try change(&request)
      do {
        try PretrainJob(request, .silent).run()
        return ""
      } catch {
        return String(describing: error)
      }
    }
    let missing = try fault { _ in
      try FileManager.default.removeItem(atPath: scratch.path("drawn/3.png"))
      try write(PixelImage(width: 8, height: 32, pixels: [UInt8](repeating: 0, count: 768)), "drawn/5.png")
    }
    #expect(missing.contains("has no picture '3'") && missing.contains("is 8×32, its picture is 32×32"), "\(missing)")
    for stage in [PretrainingStage.control, .vae, .decoder, .judge] {
      for (option, path) in [("layout-weight", \PretrainRequest.layoutWeight), ("region-share", \.regionShare)] {
        let unused = try fault { ($0.stages, $0[keyPath: path]) = ([stage], 0.5) }
        #expect(unused.contains("--\(option): only --stage unet"), "\(stage): \(unused)")
      }
    }
    #expect(try fault { $0.stages = [.unet] }.contains("only --stage control"))
  }
}
