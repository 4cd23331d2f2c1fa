import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscPrompts
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// Whole runs that begin with a picture, step by step beside diffusers.
@Suite(.serialized) struct FromPictureTests {
  private let scratch = Scratch()

  /// The golden model with the scheduler of a run and, for a run with a masked U-Net, another first layer.
  private func model(_ run: JSONValue, _ golden: GoldenFile) throws -> String {
    let (place, base) = (scratch.url.appending(path: "model"), Goldens.url("mix-of-show/base"))
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    for name in ["text_encoder", "tokenizer", "vae", "model_index.json"] {
      try FileManager.default.createSymbolicLink(
        at: place.appending(path: name), withDestinationURL: base.appending(path: name))
    }
    let config = try #require(run["config"]?.members)
    let kind = try #require(run["scheduler"]?.string)
    let fields = [("_class_name", JSONValue.string(kind))] + config.map { ($0.key, $0.value) }
    try scratch.write("model/scheduler/scheduler_config.json", JSONValue.fields(fields).description)
    guard run["kind"]?.string == "masked" else {
      try FileManager.default.createSymbolicLink(
        at: place.appending(path: "unet"), withDestinationURL: base.appending(path: "unet"))
      return place.path
    }
    let text = try String(contentsOf: base.appending(path: "unet/config.json"), encoding: .utf8)
    try scratch.write("model/unet/config.json", text.replacing("\"in_channels\": 4", with: "\"in_channels\": 9"))
    let file = try SafetensorsFile(base.appending(path: "unet/diffusion_pytorch_model.safetensors"))
    let tensors = try file.entries.map {
      ($0.name, $0.name == "conv_in.weight" ? try golden["conv_in"] : try file.array($0.name))
    }
    try SafetensorsFile.write(tensors, to: place.appending(path: "unet/diffusion_pytorch_model.safetensors"))
    return place.path
  }

  private func picture(_ array: HostArray, _ name: String) throws -> String {
    let channels = array.shape.count == 3 ? array.shape[2] : 1
    let image = PixelImage(
      width: array.shape[1], height: array.shape[0], channels: channels, pixels: array.bytes)
    try PNG.write(image, to: scratch.url.appending(path: name))
    return scratch.path(name)
  }

  private func request(_ name: String, _ golden: GoldenFile) throws -> SampleRequest {
    func setting(_ key: String) throws -> JSONValue {
      try JSONValue.parse(try #require(golden.metadata[key]).utf8, path: key)
    }
    let run = try #require(try setting("runs")[name])
    var request = SampleRequest()
    request.model = ModelOptions(path: try model(run, golden), precision: .f32)
    request.compiler.cacheFolder = SharedKernels.folder
    request.promptSettings.syntax = .plain
    request.prompt = try #require(golden.metadata["prompt"])
    request.negativePrompt = try #require(golden.metadata["negative_prompt"])
    request.guidance = try setting("guidance_scale").double
    request.seeds = [UInt64(try setting("seed").int ?? 0)]
    request.steps = try #require(run["steps"]?.int)
    request.sampler = try #require(SamplerName.Choice(spelling: run["scheduler"]?.string ?? ""))
    request.picture.image = try picture(golden["picture"], "source.png")
    request.picture.strength = run["strength"]?.double
    request.picture.maskBlur = nil
    if run["kind"]?.string != "img2img" {
      request.picture.mask = try picture(golden["mask"], "mask.png")
      request.picture.maskBlur = 0
    }
    request.output = scratch.path("drawn.png")
    request.trajectory = scratch.path("trajectory.safetensors")
    return request
  }

  @Test(arguments: [
    "img2img.ddim", "img2img.dpmpp2m", "img2img.euler_a", "img2img.heun", "inpaint.ddim", "inpaint.dpmpp2m",
    "inpaint.euler_a", "masked.ddim", "masked.euler",
  ])
  func equalsDiffusers(_ name: String) throws {
    let golden = try GoldenFile("img2img.safetensors")
    let request = try request(name, golden)
    try SampleJob(request, .silent).run()
    let trajectory = try TensorFile.read(scratch.path("trajectory.safetensors"))
    let noise = try #require(trajectory["latents_init"]).floats
    #expect(try zip(noise, golden["\(name).latents_init"].floats).allSatisfy { abs($0 - $1) <= 2e-6 })
    let (latents, expected) = (try #require(trajectory["latents"]), try golden["\(name).latents"])
    #expect(latents.shape == expected.shape)
    let size = expected.floats.count / expected.shape[0]
    for step in 0..<expected.shape[0] {
      let range = step * size..<(step + 1) * size
      let error = Comparison.relative(Array(latents.floats[range]), Array(expected.floats[range]))
      #expect(error < 2e-5, "\(name) step \(step): \(error)")
    }
    let drawn = try PNG.read(URL(fileURLWithPath: request.output)).image
    let reference = try golden["\(name).image"].ints
    let source = try golden["picture"].bytes
    let mask = try golden["mask"].bytes
    #expect(drawn.pixels.count == reference.count)
    var differences = 0
    for (place, value) in drawn.pixels.enumerated() {
      if name.hasPrefix("img2img") || mask[place / 3] > 0 {
        // Twice the blurred mask is no less than whole inside of it.
        #expect(abs(Int(value) - reference[place]) <= 1)
        differences += Int(value) == reference[place] ? 0 : 1
      } else {
        #expect(value == source[place])
      }
    }
    #expect(Double(differences) < 0.002 * Double(reference.count))
  }

  /// The same U-Net in one file is known by its first layer.
  @Test func singleFileWithMaskedUNet() throws {
    let golden = try GoldenFile("img2img.safetensors")
    var request = try request("masked.euler", golden)
    let folder = try DiffusersModel(at: URL(fileURLWithPath: try #require(request.model.path)))
    try CheckpointWriter(folder).write(
      to: scratch.url.appending(path: "whole.safetensors"), as: nil, metadata: [:])
    // Without the configurations that mosc writes into its own files, shapes tell.
    let whole = try SafetensorsFile(scratch.url.appending(path: "whole.safetensors"))
    try SafetensorsFile.write(
      try whole.entries.map { ($0.name, try whole.array($0.name)) }, to: scratch.url.appending(path: "bare.safetensors"))
    let bare = try DiffusersModel(at: scratch.url.appending(path: "bare.safetensors"))
    #expect(try bare.unet().config.inChannels == 9)
    request.model.path = scratch.path("whole.safetensors")
    request.steps = 1
    request.picture.strength = 1
    let plan = try SamplePlan(request)
    #expect(plan.takesMask && plan.latentChannels == 4)
  }

  /// Pictures of one batch begin with their own noise and latents, and a U-Net for masks draws without a picture.
  @Test func batchesAndText() throws {
    let golden = try GoldenFile("img2img.safetensors")
    var request = try request("masked.ddim", golden)
    (request.steps, request.batchSize, request.trajectory) = (2, 2, nil)
    request.output = scratch.path("b_%d.png")
    try SampleJob(request, .silent).run()
    var single = request
    (single.batchSize, single.seeds) = (1, [request.seeds[0] + 1])
    single.output = scratch.path("single.png")
    try SampleJob(single, .silent).run()
    let (a, b) = (
      try ImageFile.read(URL(fileURLWithPath: scratch.path("b_2.png"))),
      try ImageFile.read(URL(fileURLWithPath: scratch.path("single.png")))
    )
    #expect(zip(a.pixels, b.pixels).allSatisfy { abs(Int($0) - Int($1)) <= 1 })
    #expect(try ImageFile.read(URL(fileURLWithPath: scratch.path("b_1.png"))) != a)
    single.picture = PictureOptions()
    (single.width, single.height) = (64, 64)
    single.output = scratch.path("text.png")
    try SampleJob(single, .silent).run()
    #expect(try ImageFile.read(URL(fileURLWithPath: scratch.path("text.png"))).width == 64)
  }
}
