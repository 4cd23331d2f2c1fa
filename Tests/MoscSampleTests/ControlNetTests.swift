import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscImages
import MoscIR
import MoscModel
import MoscNetworks
import MoscPrompts
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// ControlNets against the stock pipelines, step by step, and what is refused.
@Suite(.serialized) struct ControlNetTests {
  private let scratch = Scratch()
  private let golden: SafetensorsFile

  init() throws { golden = try SafetensorsFile(Goldens.url("diffusers/control_nets.safetensors")) }

  private func tensors(_ index: Int) throws -> [String: HostArray] { try GoldenNetworks.controlNet(index) }

  private func write(_ tensors: [String: HostArray], _ name: String) throws -> String {
    let url = URL(fileURLWithPath: scratch.path(name))
    try GoldenNetworks.write(tensors, to: url)
    return url.path
  }

  private func picture(_ index: Int) throws -> String {
    let array = try golden.array("image\(index)")
    let image = PixelImage(width: array.shape[1], height: array.shape[0], pixels: array.bytes)
    try PNG.encode(image).write(to: URL(fileURLWithPath: scratch.path("picture\(index).png")))
    return scratch.path("picture\(index).png")
  }

  private func request(_ settings: JSONValue) throws -> SampleRequest {
    var request = SampleRequest()
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.compiler.cacheFolder = SharedKernels.folder
    request.promptSettings.syntax = .plain
    request.prompt = settings["prompt"]?.string ?? ""
    request.negativePrompt = settings["negative_prompt"]?.string ?? ""
    request.steps = settings["steps"]?.int ?? 0
    request.guidance = settings["guidance_scale"]?.double
    request.seeds = [UInt64(settings["seed"]?.int ?? 0)]
    request.sampler = SamplerName.Choice(.ddim)
    request.timestepSpacing = .leading
    request.output = scratch.path("drawn.png")
    request.trajectory = scratch.path("trajectory.safetensors")
    return request
  }

  @Test(arguments: ["one", "two", "guess", "prompt", "control"])
  func matchesThePipeline(name: String) throws {
    let runs = try SafetensorsFile(Goldens.url("diffusers/control_runs.safetensors"))
    func object(_ key: String) throws -> JSONValue {
      let text = try #require(runs.metadata[key])
      return try JSONValue.parse(text.utf8, path: key)
    }
    let settings = try object(name)
    var request = try request(try object("settings"))
    func numbers(_ key: String) -> [Double] { settings[key]?.array?.compactMap(\.double) ?? [] }
    for (place, index) in (settings["nets"]?.array ?? []).compactMap(\.int).enumerated() {
      var net = ControlRequest(
        net: try write(try tensors(index), "net\(index).safetensors"), image: try picture(index))
      (net.strength, net.start, net.end) = (numbers("strength")[place], numbers("start")[place], numbers("end")[place])
      net.mode = ControlRequest.Mode(rawValue: name) ?? .balanced
      request.control.nets.append(net)
    }
    try SampleJob(request, .silent).run()
    let latents = try TensorFile.read(scratch.path("trajectory.safetensors"), "latents")
    let expected = try runs.array("\(name).latents")
    #expect(latents.shape[0] == expected.shape[0])
    for step in 0..<expected.shape[0] {
      let difference = Comparison.relative(
        latents.samples(step..<step + 1).floats, expected.samples(step..<step + 1).floats)
      #expect(difference < 1e-4, "step \(step): \(difference)")
    }
    let (image, texts) = try PNG.read(URL(fileURLWithPath: request.output))
    #expect(image.width == 48 && image.height == 64)
    #expect(texts.first?.text.contains("ControlNet 0: \"Module: none, Model: net") == true)
    request.control = ControlOptions()
    request.trajectory = scratch.path("plain.safetensors")
    (request.width, request.height) = (48, 64)
    try SampleJob(request, .silent).run()
    let plain = try TensorFile.read(scratch.path("plain.safetensors"), "latents")
    #expect(Comparison.relative(latents.floats, plain.floats) > 0.01, "the networks do nothing")
  }

  /// The name that the original code has for one of diffusers', counted by hand for four levels of two layers.
  private static func originalName(_ name: String) -> String? {
    let parts = name.split(separator: ".").map(String.init)
    let end = parts.last ?? ""
    switch parts[0] {
    case "conv_in": return "input_blocks.0.0.\(end)"
    case "time_embedding": return "time_embed.\(parts[1] == "linear_1" ? 0 : 2).\(end)"
    case "controlnet_down_blocks": return "zero_convs.\(parts[1]).0.\(end)"
    case "controlnet_mid_block": return "middle_block_out.0.\(end)"
    case "controlnet_cond_embedding":
      let index = parts[1] == "conv_in" ? 0 : parts[1] == "conv_out" ? 7 : (Int(parts[2]) ?? 0) + 1
      return "input_hint_block.\(2 * index).\(end)"
    default: break
    }
    let layer = [
      "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
      "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
    ]
    if parts[0] == "mid_block", let index = Int(parts[2]) {
      return parts[1] == "resnets"
        ? layer[parts[3]].map { "middle_block.\(2 * index).\($0).\(end)" }
        : "middle_block.1.\(parts[3...].joined(separator: "."))"
    }
    guard parts[0] == "down_blocks", let level = Int(parts[1]), let index = Int(parts[3]) else { return nil }
    let block = 1 + 3 * level + index
    switch parts[2] {
    case "resnets": return layer[parts[4]].map { "input_blocks.\(block).0.\($0).\(end)" }
    case "attentions": return "input_blocks.\(block).1.\(parts[4...].joined(separator: "."))"
    default: return "input_blocks.\(3 * level + 3).0.op.\(end)"
    }
  }

  /// A file of the original code in f16, a folder of diffusers and a file of it give the same network.
  @Test func readsEveryNaming() throws {
    let unet = try ModelComponents.open(GoldenFile.model).unet().config
    let own = try tensors(0)
    let halves = own.mapValues { HostArray($0.floats.map { Float16($0) }, shape: $0.shape) }
    var original: [String: HostArray] = [:]
    for (name, array) in halves {
      let other = try #require(Self.originalName(name))
      original["control_model.\(other)"] = array
    }
    let whole = original.merging(
      ["model.diffusion_model.out.0.weight": HostArray([Float(1)], shape: [1])]) { $1 }
    let folder = scratch.url.appending(path: "folder")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    _ = try write(halves, "folder/diffusion_pytorch_model.fp16.safetensors")
    try #"{"_class_name": "ControlNetModel", "attention_head_dim": 2, "norm_num_groups": 8}"#
      .write(to: folder.appending(path: "config.json"), atomically: true, encoding: .utf8)
    let paths = [try write(halves, "net.safetensors"), try write(whole, "control_sd15.safetensors"), folder.path]
    var results: [[Float]] = []
    for path in paths {
      let model = try ControlNetModel(URL(fileURLWithPath: path), for: unet)
      #expect(model.network.hintWidths == [4, 4, 6, 8] && model.network.results == 13)
      #expect(model.network.unet.heads == unet.heads)
      let shape = ControlNet.Shape(height: 2, width: 3, tokens: 2)
      func values(_ shape: [Int], _ seed: Int) -> HostArray {
        HostArray((0..<shape.reduce(1, *)).map { Float(($0 * 31 + seed) % 17) / 17 - 0.5 }, shape: shape)
      }
      let run = try ReferenceRun(model.module(shape), WeightFiles(model.weights)).run(
        ControlNet.name,
        [
          "sample": values([1, 2, 3, 4], 1), "timestep": HostArray([Float(300)], shape: [1]),
          "encoder_hidden_states": values([1, 2, 64], 5), "image": values([1, 16, 24, 3], 7),
          "strength": HostArray([Float](repeating: 1, count: 13), shape: [13]),
        ])
      results.append(["control.mid", "control.4"].flatMap { run[$0]?.floats ?? [] })
    }
    #expect(!results[0].isEmpty && results[0] == results[1] && results[0] == results[2])
  }

  /// The mean over all pixels, where a folder asks for it.
  @Test func pools() throws {
    let unet = try ModelComponents.open(GoldenFile.model).unet().config
    let folder = scratch.url.appending(path: "shuffle")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    _ = try write(try tensors(0), "shuffle/diffusion_pytorch_model.safetensors")
    var means: [[Float]] = []
    for pools in ["false", "true"] {
      try #"{"attention_head_dim": 2, "norm_num_groups": 8, "global_pool_conditions": \#(pools), "controlnet_conditioning_channel_order": "bgr"}"#
        .write(to: folder.appending(path: "config.json"), atomically: true, encoding: .utf8)
      let model = try ControlNetModel(folder, for: unet)
      #expect(model.isBGR && model.network.poolsResults == (pools == "true"))
      let run = try ReferenceRun(model.module(ControlNet.Shape(height: 1, width: 2, tokens: 1)), WeightFiles(model.weights))
        .run(
          ControlNet.name,
          [
            "sample": HostArray((0..<8).map { Float($0) / 8 }, shape: [1, 1, 2, 4]),
            "timestep": HostArray([Float(1)], shape: [1]),
            "encoder_hidden_states": HostArray([Float](repeating: 0.1, count: 64), shape: [1, 1, 64]),
            "image": HostArray((0..<384).map { Float($0 % 7) / 7 }, shape: [1, 8, 16, 3]),
            "strength": HostArray([Float](repeating: 1, count: 13), shape: [13]),
          ])
      means.append(try #require(run["control.0"]).floats)
    }
    for channel in 0..<32 {
      let mean = (means[0][channel] + means[0][32 + channel]) / 2
      #expect(abs(means[1][channel] - mean) < 1e-6 && abs(means[1][32 + channel] - mean) < 1e-6)
    }
  }

  /// With regions, adapters of sketches, batches and several prompts it is one more input.
  @Test func worksWithEverythingElse() throws {
    var request = SampleRequest()
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.compiler.cacheFolder = SharedKernels.folder
    (request.prompts, request.steps) = (["a cat AND a dog:0.5", "a [red:blue:0.5] house"], 2)
    (request.width, request.height, request.batchSize) = (48, 64, 2)
    request.regions.texts = ["box=0,0,0.5,1; prompt=a fox"]
    request.output = scratch.path("%d.png")
    var net = ControlRequest(net: try write(try tensors(0), "net.safetensors"), image: try picture(1))
    net.preprocessor = .canny
    net.mode = .control
    (net.start, net.end) = (0.5, 1)
    request.control.nets = [net]
    try SampleJob(request, .silent).run()
    let first = try (1...4).map { try PNG.read(URL(fileURLWithPath: scratch.path("\($0).png"))).image }
    request.control.nets[0].strength = 0
    request.output = scratch.path("none-%d.png")
    try SampleJob(request, .silent).run()
    let none = try (1...4).map { try PNG.read(URL(fileURLWithPath: scratch.path("none-\($0).png"))).image }
    request.control = ControlOptions()
    request.output = scratch.path("plain-%d.png")
    try SampleJob(request, .silent).run()
    let plain = try (1...4).map { try PNG.read(URL(fileURLWithPath: scratch.path("plain-\($0).png"))).image }
    for index in 0..<4 {
      #expect(none[index] == plain[index])
      #expect(first[index] != plain[index])
    }
  }

  @Test func badFilesAreNamed() throws {
    let unet = try ModelComponents.open(GoldenFile.model).unet().config
    func message(_ path: String) throws -> String {
      do {
        _ = try ControlNetModel(URL(fileURLWithPath: path), for: unet)
        return "nothing was thrown"
      } catch {
        return "\(error)"
      }
    }
    func changed(_ change: (inout [String: HostArray]) -> Void) throws -> String {
      var own = try tensors(0)
      change(&own)
      return try message(try write(own, "bad.safetensors"))
    }
    let one = HostArray([Float(0)], shape: [1])
    func wide(_ shape: [Int]) -> HostArray { HostArray([Float](repeating: 0, count: shape.reduce(1, *)), shape: shape) }
    #expect(try message(scratch.path("absent")).contains("there is no such ControlNet"))
    #expect(
      try message(Goldens.url("mix-of-show/adapter.safetensors").path).contains("not a ControlNet"))
    #expect(
      try message(Goldens.url("torch/adapter.pth").path).contains("T2I-Adapter, not a ControlNet; give it with --t2i-adapter"))
    #expect(
      try message(Goldens.url("diffusers/lora_kohya.safetensors").path).contains("give it with --lora"))
    #expect(
      try changed { own in
        for name in own.keys where name.hasSuffix("attn2.to_k.weight") { own[name] = wide([32, 2048]) }
      }.contains("is a ControlNet made for Stable Diffusion XL"))
    #expect(try changed { $0["conv_in.weight"] = wide([320, 4, 3, 3]) }.contains("has 320 channels, this model's has 32"))
    #expect(try changed { $0["time_embedding.linear_1.bias"] = nil }.contains("no tensor 'time_embedding.linear_1.bias'"))
    #expect(try changed { $0["up_blocks.0.x"] = one }.contains("up_blocks.0.x"))
    #expect(try message(try write(["lora_controlnet": one], "l.safetensors")).contains("Control-LoRA"))
    #expect(try message(try write(["controlnet_blocks.0.weight": one], "f.safetensors")).contains("Flux"))
  }

  @Test(arguments: [
    (["--control", "x"], "1 --control and 0 --control-image", 2),
    (["--control", "x", "--control-image", "y", "--control-strength", "1", "--control-strength", "2"], "2 --control-strength", 2),
    (["--control", "x", "--control-image", "y", "--control-start", "0.8", "--control-end", "0.2"], "the start before the end", 2),
    (["--control", "x", "--control-image", "y", "--control-preprocess", "canny:9,3"], "canny:9,3", 2),
    (["--control", "/absent", "--control-image", "y"], "there is no such ControlNet", 1),
  ])
  func optionsAreChecked(arguments: [String], message: String, status: Int32) throws {
    let outcome = try MoscProgram.run(["sample", "-p", "a fox"] + arguments, in: scratch)
    #expect(outcome.status == status && outcome.errors.contains(message), "\(outcome.errors)")
  }

  @Test func spellings() {
    for text in ["none", "invert", "canny", "scribble", "canny:50,60"] {
      #expect(ControlPreprocessor(text)?.text == text)
    }
    #expect(ControlPreprocessor("canny:100,200") == .canny)
    for text in ["canny:", "canny:1", "canny:2,1", "canny:-1,5", "edges"] { #expect(ControlPreprocessor(text) == nil) }
    #expect(ControlRequest.Mode.prompt.weights(13).first.map { abs($0 - 0.0994) < 1e-4 } == true)
    #expect(ControlRequest.Mode.guess.weights(3).map { ($0 * 1e4).rounded() / 1e4 } == [0.1, 0.3162, 1])
  }
}
