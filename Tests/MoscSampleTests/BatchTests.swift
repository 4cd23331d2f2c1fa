import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscImages
import MoscNetworks
import MoscPrompts
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// A picture does not depend on which others are drawn with it: batches, series and prompts.
@Suite(.serialized) struct BatchTests {
  private let scratch = Scratch()

  private func request(_ precision: Precision) -> SampleRequest {
    var request = SampleRequest()
    request.prompt = "a fox, on grass"
    request.negativePrompt = "a house"
    request.steps = 3
    // Noise in every step, which each picture draws from a source of its own.
    request.sampler = SamplerName.Choice(.eulerAncestral)
    request.model.precision = precision
    request.compiler.cacheFolder = SharedKernels.folder
    return request
  }

  /// The pictures of a run in the order of their files, with the seeds and prompts that they tell.
  private func pictures(
    _ request: SampleRequest, _ name: String
  ) throws -> [(image: PixelImage, parameters: Infotext)] {
    var request = request
    let folder = scratch.path(name)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    request.output = "\(folder)/%02d.png"
    try SampleJob(request, .silent).run()
    return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map { file in
      let (image, texts) = try PNG.read(URL(fileURLWithPath: "\(folder)/\(file)"))
      let text = try #require(texts.first { $0.keyword == "parameters" }).text
      return (image, try Infotext(reading: text))
    }
  }

  /// The pictures of one prompt and some seeds, each drawn alone.
  private func singles(
    _ request: SampleRequest, _ prompt: String, _ seeds: [UInt64]
  ) throws -> [PixelImage] {
    var request = request
    (request.prompt, request.seeds) = (prompt, seeds)
    (request.promptFile, request.batchSize, request.batchCount) = (nil, 1, 1)
    return try pictures(request, "\(prompt) \(seeds)").map(\.image)
  }

  /// Four pictures in two batches, of seeds that count up.
  @Test(arguments: [Precision.f32, .bf16, .int8])
  func batchesDrawWhatSinglesDo(_ precision: Precision) throws {
    var request = request(precision)
    request.seeds = [5]
    (request.batchSize, request.batchCount) = (2, 2)
    let series = try pictures(request, "series")
    #expect(series.count == 4)
    // Three one after the other, and one in a run of its own.
    let alone = try singles(request, request.prompt, [5, 6, 7])
      + singles(request, request.prompt, [8])
    for ((seed, picture), single) in zip(zip(UInt64(5)..., series), alone) {
      #expect(picture.parameters["Seed"]?.text == "\(seed)")
      #expect(picture.image == single, "seed \(seed)")
    }
    // Seeds make a difference, so that the comparison does.
    #expect(series[0].image != series[1].image && series[1].image != series[2].image)
  }

  /// Every prompt of a file with every seed, of which the last batch of each prompt is smaller.
  @Test func promptsDrawWhatSinglesDo() throws {
    let prompts = ["a panda, in the snow", "a robot, in space"]
    var request = request(.f32)
    request.promptFile = scratch.path("prompts.txt")
    try Data("\n\(prompts[0])\n  \(prompts[1])  \n\n".utf8)
      .write(to: URL(fileURLWithPath: scratch.path("prompts.txt")))
    request.seeds = [3, 9, 4]
    request.batchSize = 2
    let series = try pictures(request, "series")
    #expect(series.count == 6)
    let wanted = prompts.flatMap { prompt in request.seeds.map { (prompt, $0) } }
    let alone = try prompts.flatMap { try singles(request, $0, request.seeds) }
    for (((prompt, seed), picture), single) in zip(zip(wanted, series), alone) {
      #expect(picture.parameters["Prompt"]?.text == prompt)
      #expect(picture.parameters["Seed"]?.text == "\(seed)")
      #expect(picture.image == single, "\(prompt), seed \(seed)")
    }
    #expect(series[0].image != series[3].image)
  }
}
