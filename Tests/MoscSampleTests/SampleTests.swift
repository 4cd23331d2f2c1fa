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

/// Whole runs from seed to picture.
@Suite(.serialized) struct SampleTests {
  private let scratch = Scratch()

  /// The request of a golden run, from the settings in its metadata.
  private func request(_ name: String, _ sampler: String, _ spacing: String) throws -> SampleRequest {
    let settings = try GoldenFile("\(name).safetensors").metadata
    var request = SampleRequest()
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.compiler.cacheFolder = SharedKernels.folder
    request.prompt = settings["prompt"] ?? ""
    // diffusers reads no weights.
    request.promptSettings.syntax = .plain
    request.negativePrompt = settings["negative_prompt"] ?? ""
    request.steps = settings["steps"].flatMap { Int($0) } ?? 0
    request.guidance = settings["guidance_scale"].flatMap { Double($0) } ?? 0
    request.seeds = [settings["seed"].flatMap { UInt64($0) } ?? 0]
    request.width = settings["width"].flatMap { Int($0) }
    request.height = settings["height"].flatMap { Int($0) }
    request.sampler = try #require(SamplerName.Choice(spelling: sampler))
    request.timestepSpacing = SchedulerConfig.Spacing(rawValue: spacing)
    request.output = scratch.path("picture.png")
    request.trajectory = scratch.path("trajectory.safetensors")
    return request
  }

  @Test(arguments: [
    ("txt2img_pndm", "pndm", "leading"), ("txt2img_euler_a", "Euler a", "linspace"),
    ("txt2img_dpmpp2m_karras", "DPM++ 2M Karras", "linspace"),
  ])
  func fromSeedToPicture(name: String, sampler: String, spacing: String) throws {
    let golden = try GoldenFile("\(name).safetensors")
    let request = try request(name, sampler, spacing)
    try SampleJob(request, .silent).run()

    let trajectory = try TensorFile.read(scratch.path("trajectory.safetensors"))
    let initial = try #require(trajectory["latents_init"]).floats
    let expected = try golden["latents_init"].floats
    #expect(zip(initial, expected).allSatisfy { abs($0 - $1) <= 2e-6 })
    let latents = try #require(trajectory["latents"])
    #expect(try latents.shape == golden["latents"].shape)
    // Ten times the worst of the three runs' own differences.
    #expect(try Comparison.relative(latents.floats, golden["latents"].floats) < 1.2e-5)
    #expect(try trajectory["timesteps"]?.floats == golden["timesteps"].floats)

    let (picture, texts) = try PNG.read(URL(fileURLWithPath: request.output))
    let reference = try golden["image"].ints
    #expect(picture.pixels.count == reference.count)
    let differences = zip(picture.pixels, reference).map { abs(Int($0) - $1) }
    #expect(differences.allSatisfy { $0 <= 1 })
    #expect(Double(differences.count { $0 > 0 }) < 0.001 * Double(reference.count))

    let parameters = try #require(texts.first { $0.keyword == "parameters" })
    let parsed = try Infotext(reading: parameters.text)
    #expect(parsed["Prompt"]?.text == request.prompt)
    #expect(parsed["Seed"]?.text == "\(request.seeds[0])")
    #expect(texts.contains { $0.keyword == "mosc" })
  }

  @Test func givenLatentsReplaceTheSeed() throws {
    var first = SampleRequest()
    first.prompt = "a cat"
    first.steps = 2
    first.seeds = [11]
    first.model.precision = .f32
    first.compiler.cacheFolder = SharedKernels.folder
    first.output = scratch.path("a.png")
    first.trajectory = scratch.path("a.safetensors")
    try SampleJob(first, .silent).run()
    var second = first
    second.seeds = [12]
    second.latentsIn = scratch.path("a.safetensors")
    second.output = scratch.path("b.png")
    second.trajectory = nil
    second.writesMetadata = false
    try SampleJob(second, .silent).run()
    let a = try PNG.read(URL(fileURLWithPath: first.output))
    let b = try PNG.read(URL(fileURLWithPath: second.output))
    #expect(a.image == b.image)
    #expect(b.texts.isEmpty)
  }

  @Test func drawsASeriesInBatches() throws {
    var request = SampleRequest()
    request.prompt = "a dog, on grass"
    request.steps = 2
    request.seeds = [5]
    request.batchCount = 1
    request.batchSize = 2
    request.model.precision = .f32
    request.compiler.cacheFolder = SharedKernels.folder
    request.output = scratch.path("s_%02d.png")
    try SampleJob(request, .silent).run()
    #expect(scratch.names == ["s_01.png", "s_02.png"])
    // The second picture of the batch is the first of its own seed.
    var single = request
    single.seeds = [6]
    single.batchSize = 1
    single.output = scratch.path("single.png")
    try SampleJob(single, .silent).run()
    let a = try PNG.read(URL(fileURLWithPath: scratch.path("s_02.png"))).image
    let b = try PNG.read(URL(fileURLWithPath: scratch.path("single.png"))).image
    let worst = zip(a.pixels, b.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 255
    #expect(worst <= 1)
  }
}
