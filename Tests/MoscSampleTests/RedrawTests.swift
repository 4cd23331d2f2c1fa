import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscPrompts
import MoscRandom
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// Pictures that are drawn again from what they say of themselves.
@Suite(.serialized) struct RedrawTests {
  private let scratch = Scratch()

  private func picture(_ texts: [PNG.Text]) throws -> URL {
    let image = PixelImage(width: 1, height: 1, channels: 3, pixels: [1, 2, 3])
    let url = scratch.url.appending(path: "foreign.png")
    try PNG.encode(image, texts: texts).write(to: url)
    return url
  }

  /// What a prompt that divides the picture leaves in `parameters`, and what that becomes again.
  @Test(arguments: [
    ("a garden ADDCOMM a cat ADDCOL a dog", "1,2", "RP Ratios: \"1,2\", RP Base Ratios: 0.2, RP Use Base: False, RP Use Common: True"),
    ("a hall ADDBASE a cat ADDROW a dog", nil, "RP Ratios: \"1,1\", RP Base Ratios: 0.2, RP Use Base: True"),
    ("a cat BREAK a dog", "2,1", "RP Active: True, RP Divide mode: Matrix, RP Matrix submode: Columns"),
  ])
  func regionsOfPrompts(prompt: String, ratios: String?, fields: String) throws {
    var request = SampleRequest()
    request.model.path = GoldenFile.model
    request.model.precision = .f32
    request.compiler.cacheFolder = SharedKernels.folder
    (request.steps, request.width, request.height, request.prompt) = (1, 64, 64, prompt)
    request.negativePrompt = "dark BREAK blurry"
    request.regions.prompter.ratios = ratios
    request.output = scratch.path("first.png")
    try SampleJob(request, .silent).run()
    let (image, texts) = try PNG.read(URL(fileURLWithPath: request.output))
    let text = try #require(texts.first { $0.keyword == "parameters" }?.text)
    #expect(text.hasPrefix("\(prompt)\nNegative prompt: dark BREAK blurry\nSteps: 1, "))
    #expect(text.contains(fields), "\(text)")
    // The same as if the web UI had written it: nothing but this text.
    var again = try PictureSettings(contentsOf: try picture([("parameters", text)])).request
    (again.model, again.compiler) = (request.model, request.compiler)
    again.output = scratch.path("second.png")
    try SampleJob(again, .silent).run()
    #expect(try PNG.read(URL(fileURLWithPath: again.output)).image == image)
  }

  @Test func linesOfPrompts() throws {
    var request = SampleRequest()
    request.model.path = GoldenFile.model
    request.model.precision = .f32
    request.compiler.cacheFolder = SharedKernels.folder
    (request.steps, request.width, request.height) = (1, 64, 64)
    request.prompt = "a garden\\na cat\\na dog"
    request.regions.lines = CoupledLines(.vertical)
    request.regions.lines?.background = .first
    request.output = scratch.path("first.png")
    try SampleJob(request, .silent).run()
    let (image, texts) = try PNG.read(URL(fileURLWithPath: request.output))
    let text = try #require(texts.first { $0.keyword == "parameters" }?.text)
    #expect(text.hasPrefix("a garden\na cat\na dog\nSteps: 1"))
    #expect(text.contains("forge_couple: True, forge_couple_mode: Basic"))
    let settings = try PictureSettings(contentsOf: try picture([("parameters", text)]))
    #expect(settings.remarks.isEmpty)
    var again = settings.request
    (again.model, again.compiler, again.output) = (request.model, request.compiler, scratch.path("second.png"))
    try SampleJob(again, .silent).run()
    #expect(try PNG.read(URL(fileURLWithPath: again.output)).image == image)
    // What the seed chose is no longer the prompt as it was written.
    request.prompt = "a {red|blue} garden\\na cat\\na dog"
    request.output = scratch.path("third.png")
    try SampleJob(request, .silent).run()
    let third = try PNG.read(URL(fileURLWithPath: request.output)).texts[0].text
    #expect(!third.contains("forge_couple") && !third.contains("{"))
  }

  /// Fields as the extensions write them.
  @Test func regionsOfOthers() throws {
    func settings(_ fields: String, _ prompt: String = "c BREAK a BREAK b") throws -> PictureSettings {
      let text = "\(prompt)\nNegative prompt: n BREAK x BREAK y\nSteps: 2, Sampler: Euler, Seed: 1, Size: 64x64, \(fields)"
      return try PictureSettings(contentsOf: try picture([("parameters", text)]))
    }
    let all = try settings(
      "RP Active: True, RP Divide mode: Matrix, RP Matrix submode: Horizontal, RP Mask submode: Mask, RP Calc Mode: Latent, "
        + "RP Ratios: \"1,2\", RP Base Ratios: 0.3, RP Use Base: False, RP Use Common: True, RP Use Ncommon: True, "
        + "RP Change AND: False, RP threshold: 0.4")
    #expect(all.request.prompt == "c ADDCOMM a BREAK b")
    #expect(all.request.negativePrompt == "n, x BREAK n, y")
    #expect(all.request.regions.prompter.ratios == "1,2" && all.request.regions.prompter.baseRatios == nil)
    #expect(all.remarks == ["RP Calc Mode: Latent is drawn as Attention"])
    let base = try settings("RP Active: True, RP Use Base: True, RP Base Ratios: 0.3, RP Matrix submode: Rows, RP Ratios: \"1;2\", RP Flip: True")
    #expect(base.request.prompt == "c ADDBASE a BREAK b" && base.request.regions.prompter.baseRatios == "0.3")
    #expect(base.request.regions.prompter.division == .rows && base.request.regions.prompter.ratios == "1,2")
    let one = try settings("RP Active: True, RP Ratios: \"1,1\"", "a cat")
    #expect(one.request.regions.prompter.ratios == nil && one.remarks.isEmpty)
    for (fields, remark) in [
      ("RP Active: True, RP Divide mode: Mask", "regions by Mask"),
      ("RP Active: True, RP Matrix submode: Random", "Matrix Random"),
      ("forge_couple: True, forge_couple_mode: Advanced", "mode Advanced"),
    ] {
      let read = try settings(fields)
      #expect(read.request.regions.prompter.ratios == nil && read.request.regions.lines == nil)
      #expect(read.remarks.contains { $0.contains(remark) })
    }
    let couple = try settings(
      "forge_couple: True, forge_couple_mode: Basic, forge_couple_separator: BREAK, forge_couple_direction: Vertical, "
        + "forge_couple_background: Last Line, forge_couple_background_weight: 0.25")
    #expect(couple.request.prompt == "c \n a \n b")
    #expect(couple.request.regions.lines?.direction == .vertical && couple.request.regions.lines?.backgroundWeight == 0.25)
    #expect(couple.request.regions.lines?.background == .last && couple.remarks.isEmpty)
  }

  /// Weights, editing, AND, two adapters (one by tag) and two regions, one of them with a mask.
  @Test func drawsTheSameBytes() throws {
    let loras = scratch.url.appending(path: "loras")
    try FileManager.default.createDirectory(at: loras, withIntermediateDirectories: true)
    for (golden, name) in [("lora_kohya", "first"), ("lora_peft", "second")] {
      try FileManager.default.copyItem(
        at: Goldens.url("diffusers/\(golden).safetensors"),
        to: loras.appending(path: "\(name).safetensors"))
    }
    let mask = PixelImage(
      width: 64, height: 64, channels: 1, pixels: (0..<4096).map { $0 % 64 < 32 ? 255 : 0 })
    try PNG.encode(mask).write(to: scratch.url.appending(path: "mask.png"))
    var request = SampleRequest()
    request.model.path = GoldenFile.model
    request.model.precision = .f32
    request.model.adapters.folder = loras.path
    request.model.adapters.files = [
      AdapterRequest(path: loras.appending(path: "second.safetensors").path, textEncoder: 0.5, unet: 0.25)
    ]
    request.model.adapters.files[0].blocks = try BlockWeights("MIDD")
    request.prompt = "a (cat:1.3), [red:blue:0.5] AND a dog:0.4 <lora:first:0.7:lbw=OUTALL>"
    request.negativePrompt = "[dark]"
    request.promptSettings.emphasis = .noNorm
    (request.steps, request.seeds, request.width, request.height) = (2, [7], 64, 64)
    (request.sampler, request.guidance, request.clipSkip) = (SamplerName.Choice(.euler), 5.5, 2)
    request.regions.texts = [
      "box=0.5,0,1,1; prompt=a (fox:0.8); weight=0.6; feather=4; steps=0-0.7",
      "mask=\(scratch.path("mask.png")); prompt=a house; negative=small",
    ]
    request.output = scratch.path("first.png")
    try SampleJob(request, .silent).run()

    var again = RedrawRequest(scratch.path("first.png"))
    again.model.path = GoldenFile.model
    again.model.adapters.folder = loras.path
    again.output = scratch.path("second.png")
    try RedrawJob(again, .silent).run()
    let (first, second) = (try Data(contentsOf: scratch.url.appending(path: "first.png")),
      try Data(contentsOf: scratch.url.appending(path: "second.png")))
    #expect(first == second)
    let texts = try PNG.decode(first, path: "first").texts
    let parameters = try #require(texts.first { $0.keyword == "parameters" }).text
    #expect(parameters.contains("Lora hashes: \"second: "))
    #expect(parameters.contains("Model hash: "))

    // A picture holds no files: without them it says which.
    again.model.adapters.folder = nil
    #expect { try RedrawJob(again, .silent).run() } throws: { "\($0)".contains("--lora-model-dir") }
    again.model = ModelOptions()
    #expect { try RedrawJob(again, .silent).run() } throws: { "\($0)".contains("say where it is with -m") }
    // Another file under the name of the adapter is refused.
    again.model.path = GoldenFile.model
    again.model.adapters.folder = loras.path
    try FileManager.default.removeItem(at: loras.appending(path: "second.safetensors"))
    try FileManager.default.copyItem(
      at: loras.appending(path: "first.safetensors"), to: loras.appending(path: "second.safetensors"))
    #expect { try RedrawJob(again, .silent).run() } throws: { "\($0)".contains("second.safetensors") && "\($0)".contains("hash") }
  }

  @Test func readsTheWebUI() throws {
    let settings = try PictureSettings(
      contentsOf: try picture([
        (
          "parameters",
          """
          a cat, <lora:style:0.8>
          Negative prompt: dark, (bad:1.2)
          Steps: 25, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 12, Size: 512x768, \
          Model hash: 6ce0161689, Model: v1-5-pruned, Clip skip: 2, ADetailer model: face, Version: v1.10.1
          """
        )
      ]))
    #expect(settings.origin == "the web UI v1.10.1")
    let request = settings.request
    #expect(request.prompt == "a cat, <lora:style:0.8>" && request.negativePrompt == "dark, (bad:1.2)")
    #expect(request.steps == 25 && request.guidance == 6.5 && request.seeds == [12])
    #expect(request.width == 512 && request.height == 768 && request.clipSkip == 2)
    #expect(request.sampler.sampler == .dpmpp2M && request.levels == .karras)
    // Its default is the noise of an NVIDIA device.
    #expect(request.randomSource == .cuda)
    #expect(settings.model == "v1-5-pruned" && settings.modelHash == "6ce0161689")
    #expect(settings.remarks.count == 1 && settings.remarks[0].contains("ADetailer model: face"))
  }

  /// Noise levels given one by one, and the share of noise, are in the picture.
  @Test func keepsLevelsAndNoise() throws {
    var request = SampleRequest()
    request.model.path = GoldenFile.model
    request.model.precision = .f32
    (request.width, request.height) = (64, 64)
    request.sampler = SamplerName.Choice(.dpmppSDE)
    request.sigmas = [9, 2, 0]
    request.output = scratch.path("levels.png")
    request.trajectory = scratch.path("levels.safetensors")
    try SampleJob(request, .silent).run()
    let levels = try PictureSettings(contentsOf: scratch.url.appending(path: "levels.png")).request
    #expect(levels.sigmas == [9, 2] && levels.steps == 2 && levels.sampler == request.sampler)
    // Two steps, of which the first asks twice.
    let trajectory = try SafetensorsFile(scratch.url.appending(path: "levels.safetensors"))
    #expect(try trajectory.array("timesteps").doubles.count == 3)

    (request.sigmas, request.trajectory, request.steps) = (nil, nil, 2)
    (request.sampler, request.eta) = (SamplerName.Choice(.tcd), 0.5)
    request.output = scratch.path("noise.png")
    try SampleJob(request, .silent).run()
    let noise = try PictureSettings(contentsOf: scratch.url.appending(path: "noise.png")).request
    #expect(noise.eta == 0.5 && noise.sigmas == nil && noise.sampler == request.sampler)
  }

  @Test func readsStableDiffusionCpp() throws {
    let settings = try PictureSettings(
      contentsOf: try picture([
        (
          "parameters",
          """
          a cat
          Steps: 20, CFG scale: 7.000000, Guidance: 3.500000, Seed: 42, Size: 512x512, Model: sd.ckpt, \
          RNG: cuda, Sampler: euler_a, Version: stable-diffusion.cpp
          """
        )
      ]))
    #expect(settings.origin == "stable-diffusion.cpp" && settings.remarks.isEmpty, "\(settings.remarks)")
    #expect(settings.request.sampler.sampler == .eulerAncestral && settings.request.randomSource == .cuda)
    #expect(settings.request.guidance == 7)
  }

  @Test func readsComfyUI() throws {
    let graph = """
      {"3": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 12, "cfg": 7.5, "sampler_name": \
      "dpmpp_2m", "scheduler": "karras", "denoise": 1, "model": ["10", 0], "positive": ["6", 0], \
      "negative": ["7", 0], "latent_image": ["5", 0]}}, "4": {"class_type": "CheckpointLoaderSimple", \
      "inputs": {"ckpt_name": "sd.safetensors"}}, "5": {"class_type": "EmptyLatentImage", "inputs": \
      {"width": 640, "height": 512, "batch_size": 1}}, "6": {"class_type": "CLIPTextEncode", "inputs": \
      {"text": "a cat", "clip": ["10", 1]}}, "7": {"class_type": "CLIPTextEncode", "inputs": {"text": \
      "bad", "clip": ["10", 1]}}, "10": {"class_type": "LoraLoader", "inputs": {"lora_name": \
      "sub/style.safetensors", "strength_model": 0.5, "strength_clip": 0.25, "model": ["4", 0]}}}
      """
    let settings = try PictureSettings(contentsOf: try picture([("prompt", graph), ("workflow", "{}")]))
    let request = settings.request
    #expect(settings.origin == "ComfyUI" && settings.model == "sd.safetensors")
    #expect(request.prompt == "a cat" && request.negativePrompt == "bad" && request.seeds == [5])
    #expect(request.width == 640 && request.height == 512 && request.guidance == 7.5)
    #expect(request.sampler.sampler == .dpmpp2M && request.levels == .karras)
    #expect(settings.remarks.count == 1)
  }

  @Test(arguments: [
    ([], "expected a text 'mosc'"), ([("Comment", "x")], "found 'Comment'"),
    ([("mosc", "{\"prompt\": 3}")], "prompt"), ([("mosc", "[")], "text mosc"),
    ([("parameters", "a cat")], "expected Steps and Seed"), ([("prompt", "{}")], "KSampler"),
  ] as [([PNG.Text], String)])
  func refuses(_ texts: [PNG.Text], _ message: String) throws {
    let url = try picture(texts)
    #expect { try PictureSettings(contentsOf: url) } throws: { "\($0)".contains(message) }
  }
}
