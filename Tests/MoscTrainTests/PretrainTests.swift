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

/// Pretraining of a very small model.
@Suite(.serialized) struct PretrainTests {
  private let scratch = Scratch()

  private func write(_ path: String, _ text: String) throws {
    let url = URL(fileURLWithPath: scratch.path(path))
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }

  /// A folder with configurations and no weights.
  private func configuration() throws -> String {
    try write(
      "config/unet/config.json",
      """
      {"in_channels": 4, "out_channels": 4, "block_out_channels": [16, 16], "layers_per_block": 1,
       "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
       "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"], "cross_attention_dim": 16,
       "attention_head_dim": 2, "norm_num_groups": 4, "sample_size": 4}
      """)
    try write(
      "config/text_encoder/config.json",
      """
      {"vocab_size": 914, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
       "num_attention_heads": 2, "max_position_embeddings": 77}
      """)
    try write(
      "config/vae/config.json",
      """
      {"block_out_channels": [8, 16], "layers_per_block": 1, "latent_channels": 4,
       "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
       "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"], "norm_num_groups": 4,
       "mid_block_add_attention": false, "scaling_factor": 0.5}
      """)
    let tokenizer = URL(fileURLWithPath: scratch.path("config/tokenizer"))
    if !FileManager.default.fileExists(atPath: tokenizer.path) {
      try FileManager.default.copyItem(
        at: try DiffusersModel.embedded().layout.tokenizerFolder(), to: tokenizer)
    }
    return scratch.path("config")
  }

  /// Squares of two colours, one of them wide.
  private func pictures(_ name: String = "data") throws -> String {
    for index in 0..<8 {
      let width = index < 6 ? 8 : 16
      let red = index % 2 == 0
      let pixels = (0..<8 * width).flatMap { place -> [UInt8] in
        let isInside = place % width > 2 && place / width > 2
        return isInside ? [red ? 230 : 20, 30, red ? 20 : 230] : [240, 240, 240]
      }
      let url = URL(fileURLWithPath: scratch.path("\(name)/\(index).png"))
      try write("\(name)/\(index).txt", red ? "a red ball\n" : "a blue ball\n")
      try PNG.encode(PixelImage(width: width, height: 8, pixels: pixels)).write(to: url)
    }
    return scratch.path(name)
  }

  private func request(_ output: String) throws -> PretrainRequest {
    var request = PretrainRequest(data: try pictures(), output: scratch.path(output))
    request.configuration = try configuration()
    request.precision = .f32
    request.compiler.cacheFolder = SharedKernels.folder
    request.compiler.threads = 2
    request.autoencoder = PretrainingRecipe(steps: 40, batch: 4, learningRate: 4e-3, warmUp: 2)
    request.denoiser = PretrainingRecipe(steps: 60, batch: 4, learningRate: 4e-3, warmUp: 2)
    request.autoencoder.averageDecay = 0.8
    request.denoiser.averageDecay = 0.9
    request.validation = 2
    request.logEvery = 10
    request.saveEvery = 100
    request.savedType = .f32
    return request
  }

  private func lines(_ output: String, _ stage: String) throws -> [JSONValue] {
    let text = try String(
      contentsOfFile: scratch.path("\(output)/training/\(stage).jsonl"), encoding: .utf8)
    return try text.split(separator: "\n").map { try JSONValue.parse(Array($0.utf8), path: stage) }
  }

  @Test func lossesFallAndTheModelIsWhole() throws {
    let request = try request("model")
    try PretrainJob(request, .silent).run()
    for (stage, limit) in [("vae", 0.5), ("unet", 0.9)] {
      let losses = try lines("model", stage).compactMap { $0["loss"]?.double }
      #expect(losses.count >= 4)
      #expect(try #require(losses.last) < limit * (try #require(losses.first)), "\(stage)")
      let held = try lines("model", stage).compactMap { $0["validation_loss"]?.double }
      #expect(try #require(held.last) < (try #require(held.first)), "\(stage)")
    }
    let model = try DiffusersModel(at: URL(fileURLWithPath: request.output))
    try ModelComponents.verify(model)
    // Latents are scaled to unit deviation, and the rest of the configuration is kept.
    let vae = try model.vae().config
    #expect(vae.scalingFactor != 0.5)
    #expect(vae.widths == [8, 16])
    // It can be sampled from.
    var sample = SampleRequest()
    sample.model = ModelOptions(path: request.output, precision: .f32)
    sample.prompt = "a red ball"
    (sample.width, sample.height, sample.steps) = (8, 8, 2)
    sample.output = scratch.path("ball.png")
    sample.compiler.cacheFolder = SharedKernels.folder
    try SampleJob(sample, .silent).run()
    #expect(FileManager.default.fileExists(atPath: sample.output))
  }

  /// A red thing left of a blue one, or the other way round, with a file that says so.
  private func layouts() throws -> String {
    for index in 0..<8 {
      let isRedLeft = index % 2 == 0
      let pixels = (0..<8 * 16).flatMap { place -> [UInt8] in
        (place % 16 < 8) == isRedLeft ? [230, 30, 20] : [20, 30, 230]
      }
      let (first, second) = isRedLeft ? ("a red ball", "a blue ball") : ("a blue ball", "a red ball")
      try write("places/\(index).txt", "\(first) on the left and \(second) on the right\n")
      try write(
        "places/\(index).json",
        """
        {"objects": [{"phrase": "\(first) on the left", "box": [0, 0, 0.5, 1]},
                     {"phrase": "\(second) on the right", "box": [0.5, 0, 1, 1]}]}
        """)
      try PNG.encode(PixelImage(width: 16, height: 8, pixels: pixels))
        .write(to: URL(fileURLWithPath: scratch.path("places/\(index).png")))
    }
    return scratch.path("places")
  }

  @Test func wordsAreTaughtTheirPlaces() throws {
    var request = try request("model")
    request.data = try layouts()
    request.layoutWeight = 1
    request.autoencoder.steps = 2
    try PretrainJob(request, .silent).run()
    let shares = try lines("model", "unet").compactMap { $0["validation_layout"]?.double }
    #expect(abs(try #require(shares.first) - 0.5) < 0.05)
    #expect(try #require(shares.last) < 0.35)
  }

  @Test func layoutsThatDoNotFitAreReportedTogether() throws {
    var request = try request("model")
    request.data = try layouts()
    request.layoutWeight = 1
    request.autoencoder.steps = 1
    try write("places/1.json", #"{"objects": [{"phrase": "a green ball", "box": [0, 0, 1, 1]}]}"#)
    try write("places/2.json", #"{"objects": [{"phrase": "a red ball", "box": [0.5, 0, 0.2, 1]}]}"#)
    try FileManager.default.removeItem(atPath: scratch.path("places/3.json"))
    #expect { try PretrainJob(request, .silent).run() } throws: { error in
      let message = String(describing: error)
      return message.contains("'a green ball' does not stand in the caption")
        && message.contains("left < right") && message.contains("3.json")
    }
  }

  /// Pictures whose halves have prompts.
  private func parts() throws -> String {
    let folder = try layouts()
    for index in 0..<8 {
      let path = "places/\(index).json"
      let text = try String(contentsOfFile: scratch.path(path), encoding: .utf8)
      try write(
        path,
        text.replacing(#""box""#, with: #""prompts": ["a ball"], "box""#)
          .replacing("}]}", with: #"}], "scene": "on grass"}"#))
    }
    return folder
  }

  @Test func partsAreTrainedOn() throws {
    func lines(_ output: String, share: Double) throws -> [JSONValue] {
      var request = try request(output)
      (request.data, request.regionShare, request.autoencoder.steps) = (try parts(), share, 20)
      try PretrainJob(request, .silent).run()
      return try self.lines(output, "unet")
    }
    let parted = try lines("parted", share: 1)
    let held = parted.compactMap { $0["validation_loss"]?.double }
    // Held-out pictures have no parts: before training, a program with parts says of them what one without does.
    let plain = try #require(try lines("plain", share: 0).first?["validation_loss"]?.double)
    #expect(abs(try #require(held.first) - plain) < 1e-5 * plain)
    #expect(try #require(held.last) < 0.9 * plain)
    let losses = parted.compactMap { $0["loss"]?.double }
    #expect(try #require(losses.last) < 0.9 * (try #require(losses.first)))
  }

  @Test func partsWithoutPromptsAreReported() throws {
    var request = try request("model")
    (request.data, request.regionShare, request.autoencoder.steps) = (try layouts(), 0.5, 1)
    #expect { try PretrainJob(request, .silent).run() } throws: { error in
      let message = String(describing: error)
      return message.contains("0.json") && message.contains("7.json") && message.contains("'prompts'")
    }
    request.regionShare = 1.5
    #expect { try PretrainJob(request, .silent).run() } throws: {
      String(describing: $0).contains("--region-share 1.5")
    }
  }

  @Test func resumedRunGivesTheSameBytes() throws {
    var request = try request("whole")
    request.stages = [.unet]
    request.configuration = try configuration()
    // A finished autoencoder to stand on.
    var start = try self.request("start")
    (start.autoencoder.steps, start.denoiser.steps) = (1, 1)
    try PretrainJob(start, .silent).run()
    request.start = start.output
    request.denoiser.steps = 9
    try PretrainJob(request, .silent).run()

    request.output = scratch.path("parts")
    request.stopAfter = 4
    try PretrainJob(request, .silent).run()
    request.resumes = true
    try PretrainJob(request, .silent).run()
    request.stopAfter = nil
    try PretrainJob(request, .silent).run()
    for path in [
      "unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors",
      "vae/diffusion_pytorch_model.safetensors", "training/unet.safetensors",
    ] {
      let whole = try Data(contentsOf: URL(fileURLWithPath: scratch.path("whole/\(path)")))
      let parts = try Data(contentsOf: URL(fileURLWithPath: scratch.path("parts/\(path)")))
      #expect(parts == whole, "\(path)")
    }
    // Nothing of the start's text encoder is left as it was.
    let path = "text_encoder/model.safetensors"
    let before = try TensorFile.read(scratch.path("start/\(path)"))
    let after = try TensorFile.read(scratch.path("whole/\(path)"))
    for name in before.keys where name.contains("weight") {
      #expect(before[name] != after[name], "\(name)")
    }

    // Messages and threads change nothing, other pictures do.
    request.compiler.threads = 1
    request.logEvery = 3
    try PretrainJob(request, .silent).run()
    try write("data/3.txt", "a green ball\n")
    #expect { try PretrainJob(request, .silent).run() } throws: { error in
      let message = String(describing: error)
      return message.contains(": a blue ball, this run has 3.png (")
        && message.contains("): a green ball;")
    }
    try write("data/3.txt", "a blue ball\n")

    request.denoiser.learningRate = 1e-5
    #expect { try PretrainJob(request, .silent).run() } throws: { error in
      let message = String(describing: error)
      return message.contains("has --lr 0.004, this run has 1e-05;")
    }
    request.resumes = false
    #expect { try PretrainJob(request, .silent).run() } throws: {
      String(describing: $0).contains("--resume")
    }
  }

  @Test func theDecoderAloneLeavesTheEncoder() throws {
    var start = try request("start")
    (start.autoencoder.steps, start.denoiser.steps) = (2, 1)
    try PretrainJob(start, .silent).run()
    var request = try request("decoder")
    request.start = start.output
    request.stages = [.decoder]
    request.autoencoder.steps = 3
    try PretrainJob(request, .silent).run()
    let path = "vae/diffusion_pytorch_model.safetensors"
    let before = try TensorFile.read(scratch.path("start/\(path)"))
    let after = try TensorFile.read(scratch.path("decoder/\(path)"))
    #expect(Set(before.keys) == Set(after.keys))
    for (name, values) in before {
      let isEncoder = name.hasPrefix("encoder.") || name.hasPrefix("quant_conv.")
      #expect((after[name] == values) == isEncoder, "\(name)")
    }
  }

  @Test func problemsWithTheDataAreReportedTogether() throws {
    var request = try request("model")
    request.data = try pictures("bad")
    try write("bad/9.txt", "a caption without a picture\n")
    try write("bad/broken.png", "not a picture")
    let pixels = [UInt8](repeating: 0, count: 7 * 8 * 3)
    try PNG.encode(PixelImage(width: 7, height: 8, pixels: pixels))
      .write(to: URL(fileURLWithPath: scratch.path("bad/odd.png")))
    #expect { try PretrainJob(request, .silent).run() } throws: { error in
      let message = String(describing: error)
      return ["9.txt", "broken.png", "odd.png", "7×8", "multiples of 2"]
        .allSatisfy(message.contains)
    }
    #expect(!FileManager.default.fileExists(atPath: request.output))
  }
}
