import Foundation
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport
import MoscSample
import TestSupport
import Testing

/// Files that are something else than what they are given as: one sentence each that says what they are.
@Suite struct MisfedFileTests {
  private let scratch = Scratch()

  /// The files, each with words of the sentence that every place has for it.
  private static let kinds: [(name: String, words: [String])] = [
    ("sdxl-lora", ["Stable Diffusion XL|a LoRA"]), ("sdxl", ["a Stable Diffusion XL model"]),
    ("sd2", ["a Stable Diffusion 2.x model"]), ("sd2.ckpt", ["a Stable Diffusion 2.x model"]),
    ("flux-lora", ["FLUX|a LoRA"]), ("flux", ["a Flux model"]), ("gguf", ["a GGUF file"]),
    ("bomb.ckpt", ["deflated"]), ("cut.ckpt", ["truncated"]), ("cut", ["truncated"]),
    ("cut-header", ["the file ends after"]), ("page", ["a web page"]), ("lfs", ["a git-lfs pointer"]),
    ("text", ["a text"]), ("json", ["a JSON text"]), ("folder", ["a folder|found no weights"]), ("empty", ["empty"]),
    ("picture", ["a PNG picture"]), ("zeros", ["zeros"]), ("control", ["ControlNet"]),
  ]

  private func floats(_ shape: Int...) -> HostArray {
    HostArray([Float](repeating: 0, count: shape.reduce(1, *)), shape: shape)
  }

  private func write(_ name: String, _ data: Data) throws -> String {
    let ending = name.contains(".") ? "" : ".safetensors"
    try data.write(to: URL(fileURLWithPath: scratch.path(name + ending)))
    return scratch.path(name + ending)
  }

  private func write(_ name: String, _ tensors: [(String, HostArray)]) throws -> String {
    let path = scratch.path(name + ".safetensors")
    try SafetensorsFile.write(tensors, metadata: [:], to: URL(fileURLWithPath: path))
    return path
  }

  /// A zip archive whose pickle is deflated: four bytes of it in the file, as many gigabytes in its directory.
  private func bomb() -> Data {
    let name = Array("archive/data.pkl".utf8)
    func little(_ number: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(number >> (8 * $0) & 0xff) } }
    let content: [UInt8] = [0x4b, 0x04, 0x00, 0x00]
    let sizes = little(0, 4) + little(content.count, 4) + little(0xffff_fff0, 4)
    let local = [0x50, 0x4b, 3, 4] + little(20, 2) + little(0, 2) + little(8, 2) + little(0, 4) + sizes
      + little(name.count, 2) + little(0, 2) + name + content
    let central = [0x50, 0x4b, 1, 2] + little(20, 2) + little(20, 2) + little(0, 2) + little(8, 2) + little(0, 4)
      + sizes + little(name.count, 2) + little(0, 2) + little(0, 2) + little(0, 2) + little(0, 2) + little(0, 4)
      + little(0, 4) + name
    let end = [0x50, 0x4b, 5, 6] + little(0, 4) + little(1, 2) + little(1, 2) + little(central.count, 4)
      + little(local.count, 4) + little(0, 2)
    return Data(local + central + end)
  }

  private func file(_ name: String) throws -> String {
    let unet = "model.diffusion_model.input_blocks."
    switch name {
    case "sdxl-lora":
      let stem = "lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_k"
      return try write(
        name, [("\(stem).lora_down.weight", floats(2, 2048)), ("\(stem).lora_up.weight", floats(640, 2))])
    case "sdxl":
      return try write(name, [("conditioner.embedders.1.model.ln_final.weight", floats(8)), ("\(unet)0.0.weight", floats(8, 4, 3, 3))])
    case "sd2": return try write(name, [("cond_stage_model.model.ln_final.weight", floats(8)), ("\(unet)0.0.weight", floats(8, 4, 3, 3))])
    case "sd2.ckpt":
      let url = URL(fileURLWithPath: scratch.path(name))
      let model = TorchTree.dictionary([("cond_stage_model.model.ln_final.weight", .tensor(floats(8)))])
      try TorchFile.write(.dictionary([("state_dict", model)]), to: url)
      return url.path
    case "flux-lora":
      let stem = "transformer.single_transformer_blocks.0.attn.to_q"
      return try write(name, [("\(stem).lora_A.weight", floats(2, 3072)), ("\(stem).lora_B.weight", floats(3072, 2))])
    case "flux": return try write(name, [("double_blocks.0.img_attn.qkv.weight", floats(12, 4))])
    case "control": return try write(name, [("control_model.zero_convs.0.0.weight", floats(8, 8, 1, 1))])
    case "gguf": return try write(name, Data("GGUF".utf8) + Data(count: 100))
    case "bomb.ckpt": return try write(name, bomb())
    case "cut.ckpt":
      let whole = try Data(contentsOf: Goldens.url("torch/adapter.pth"))
      return try write(name, whole.prefix(whole.count / 2))
    case "cut", "cut-header":
      let whole = try Data(contentsOf: Goldens.url("torch/adapter.safetensors"))
      return try write(name, whole.prefix(name == "cut" ? whole.count / 2 : 100))
    case "page": return try write(name, Data("<!DOCTYPE html><html><body>403</body></html>".utf8))
    case "lfs": return try write(name, Data("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n".utf8))
    case "text": return try write(name, Data("a text of more than eight bytes\n".utf8))
    case "json": return try write(name, Data("{\"a\": 1, \"b\": [2, 3]}".utf8))
    case "folder":
      try FileManager.default.createDirectory(atPath: scratch.path(name), withIntermediateDirectories: true)
      return scratch.path(name)
    case "empty": return try write(name, Data())
    case "zeros": return try write(name, Data(count: 4096))
    default: return try write(name, try PNG.encode(PixelImage(width: 8, height: 8, channels: 1, pixels: [UInt8](repeating: 7, count: 64))))
    }
  }

  /// The places where files are given.
  private static let places: [String] = ["--model", "--lora", "--vae", "a region", "--control", "--t2i-adapter"]

  private func refusal(_ path: String, as place: String) throws -> String {
    do {
      switch place {
      case "--model": try ModelComponents.verify(try ModelComponents.open(path))
      case "--vae": _ = try ModelComponents.open(nil, vae: path).weights(.vae)
      case "--lora", "a region":
        // A region's file is opened by the same function.
        var options = ModelOptions()
        options.adapters.files = [AdapterRequest(path: path)]
        if place == "a region" { options.adapters.files[0].unet = 0.5 }
        _ = try ModelComponents.open(options)
      case "--control":
        _ = try ControlNetModel(URL(fileURLWithPath: path), for: try ModelComponents.open(nil).unet().config)
      default: _ = try T2IAdapterModel(URL(fileURLWithPath: path))
      }
      return "it was taken"
    } catch {
      #expect(MoscReport.ExitStatus(error) == .failure, "\(error)")
      return "\(error)"
    }
  }

  @Test(arguments: kinds.map(\.name)) func oneSentenceEach(name: String) throws {
    let path = try file(name)
    let words = Self.kinds.first { $0.name == name }?.words ?? []
    for place in Self.places {
      // What it is there for.
      if name == "control", place == "--control" { continue }
      let said = try refusal(path, as: place)
      #expect(said.hasPrefix(path) && !said.contains("\n") && said.count < 400, "\(place): \(said)")
      for word in words {
        #expect(word.split(separator: "|").contains { said.contains($0) }, "\(place): \(said)")
      }
    }
  }

  /// The same from the command line, where everything else of a run would follow.
  @Test func commandsEndAtOnce() throws {
    let picture = Goldens.url("pillow/source.png").path
    let path = try file("page")
    for options in [
      ["-m", path], ["--lora", path], ["--vae", path], ["--region", "box=0,0,0.5,1; prompt=a fox; lora=\(path)"],
      ["--control", path, "--control-image", picture], ["--t2i-adapter", path, "--t2i-image", picture],
    ] {
      let outcome = try MoscProgram.run(["sample", "-p", "a fox", "-o", scratch.path("x.png")] + options, in: scratch)
      #expect(outcome.status == 1 && outcome.errors.contains("is a web page"), "\(outcome.errors)")
      #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
    }
    #expect(!scratch.names.contains("x.png"))
  }
}
