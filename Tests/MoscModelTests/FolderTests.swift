import Foundation
import MoscFormats
import MoscIR
import MoscModel
import TestSupport
import Testing

/// Model folders: which files are found, and how broken ones are refused.
@Suite final class FolderTests {
  let folder = FileManager.default.temporaryDirectory.appending(path: "mosc-\(UUID().uuidString)")
  private let config = """
    {"vocab_size": 10, "hidden_size": 4, "intermediate_size": 8, "num_hidden_layers": 1,
     "num_attention_heads": 2, "max_position_embeddings": 5}
    """
  private let function = ModelFunction.textEncoder(TextEncoder.Shape())

  init() throws {
    try write("text_encoder/config.json", config)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  private func write(_ path: String, _ text: String) throws {
    let url = folder.appending(path: path)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }

  /// The text encoder's tensors, all zero.
  private func tensors() throws -> [(name: String, array: HostArray)] {
    var recording = NetworkWeights(recording: "text_encoder")
    _ = try TextEncoder(try TextEncoderConfig(reader(config))).graph(TextEncoder.Shape(), &recording)
    return recording.requests.shapes.sorted { $0.key < $1.key }.map { name, shape in
      (name, HostArray([Float](repeating: 0, count: shape.reduce(1, *)), shape: shape))
    }
  }

  private func save(_ name: String, _ tensors: [(name: String, array: HostArray)]) throws {
    try SafetensorsFile.write(tensors, to: folder.appending(path: "text_encoder/\(name)"))
  }

  private func open(variant: String? = nil) throws -> ModelProgram {
    try DiffusersModel(at: folder, variant: variant).program(function)
  }

  @Test func singleFile() throws {
    try save("model.safetensors", tensors())
    let program = try open()
    #expect(program.module.weights.map(\.name) == ["text_encoder"])
    #expect(program.files.files.count == 1)
  }

  @Test func shards() throws {
    let all = try tensors()
    let (a, b) = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    try save(a, Array(all.prefix(9)))
    try save(b, Array(all.dropFirst(9)))
    let map = all.enumerated().map { "\"\($1.name)\": \"\($0 < 9 ? a : b)\"" }
    try write(
      "text_encoder/model.safetensors.index.json",
      "{\"weight_map\": {\(map.joined(separator: ", "))}}")
    let program = try open()
    #expect(program.module.weights.map(\.name) == ["text_encoder_1", "text_encoder_2"])
    #expect(Verifier.check(program.module).isEmpty)
    for id in program.function.order {
      guard case .param(let param) = program.function[id].op else { continue }
      #expect(program.file(param.source)?.weight(param.name) != nil)
    }
    // The same tensor in both files.
    try save(b, Array(all.dropFirst(8)))
    #expect(message { _ = try open() }.contains("is in @text_encoder_1 as well"))
  }

  @Test func shardOutsideTheFolder() throws {
    try write(
      "text_encoder/model.safetensors.index.json", #"{"weight_map": {"x": "../../x.safetensors"}}"#)
    #expect(message { _ = try open() }.contains("expected a .safetensors file name"))
    try write("text_encoder/model.safetensors.index.json", #"{"weight_map": {"x": 3}}"#)
    #expect(message { _ = try open() }.contains("expected a .safetensors file name"))
    try write("text_encoder/model.safetensors.index.json", "{}")
    #expect(message { _ = try open() }.contains("weight_map"))
  }

  @Test func variants() throws {
    try save("model.fp16.safetensors", tensors())
    #expect(try open().module.weights[0].path.hasSuffix("model.fp16.safetensors"))
    try save("model.safetensors", tensors())
    #expect(try open().module.weights[0].path.hasSuffix("/model.safetensors"))
    #expect(try open(variant: "fp16").module.weights[0].path.hasSuffix("model.fp16.safetensors"))
    let text = message { _ = try open(variant: "ema") }
    #expect(
      text.contains("expected model.ema.safetensors, found model.fp16.safetensors, model.safetens"))
  }

  @Test func pickles() throws {
    try TorchFile.write(
      .dictionary(try tensors().map { ($0.name, .tensor($0.array)) }),
      to: folder.appending(path: "text_encoder/pytorch_model.bin"))
    #expect(try open().module.weights[0].path.hasSuffix("pytorch_model.bin"))
    // Safetensors files come first.
    try save("model.safetensors", tensors())
    #expect(try open().module.weights[0].path.hasSuffix("model.safetensors"))
  }

  @Test func missingParts() throws {
    #expect(message { _ = try open() }.contains("expected model.safetensors, found no weights"))
    let unet = message { _ = try DiffusersModel(at: folder).unet() }
    #expect(unet.contains("expected a subfolder 'unet', found none"))
    try FileManager.default.removeItem(at: folder.appending(path: "text_encoder/config.json"))
    #expect(message { _ = try open() }.contains("model.safetensors"))
    let text = message { _ = try DiffusersModel(at: folder).textEncoder() }
    #expect(text.contains("config.json: there is no such file"))
    let nowhere = message { _ = try DiffusersModel(at: folder.appending(path: "absent")) }
    #expect(nowhere.contains("absent: there is no such model folder"))
    try write("file", "x")
    let file = message { _ = try DiffusersModel(at: folder.appending(path: "file")) }
    #expect(file.contains("file: too short for a safetensors file"))
  }

  /// A model and its copies read each file once: nothing is missed when the folder is gone.
  @Test func partsAreReadOnce() throws {
    try save("model.safetensors", tensors())
    let model = try DiffusersModel(at: folder)
    let copy = model
    let first = try model.program(function)
    try FileManager.default.removeItem(at: folder)
    #expect(try copy.textEncoder().config.vocabulary == 10)
    #expect(try copy.program(function).function == first.function)
    #expect(try copy.summary(.textEncoder).tensors == 20)
    // What is missing stays missing, and is said by who asks.
    #expect(message { _ = try copy.unet() }.contains("expected a subfolder 'unet', found none"))
  }

  @Test func otherPipelines() throws {
    try write("model_index.json", #"{"text_encoder_2": ["transformers", "CLIPTextModel"]}"#)
    #expect(message { _ = try open() }.contains("only Stable Diffusion 1.x and 2.x are supported"))
    try write("model_index.json", #"{"unet": ["diffusers", "UNet3DConditionModel"]}"#)
    #expect(message { _ = try open() }.contains("expected class UNet2DConditionModel"))
    try write("model_index.json", #"{"safety_checker": [null, null]}"#)
    #expect(message { _ = try open() }.contains("model.safetensors"))
  }

  /// The summary counts what the files hold.
  @Test func summary() throws {
    let model = try DiffusersModel.embedded()
    let unet = try model.summary(.unet)
    #expect(unet.tensors == unet.dtypes[.f16])
    #expect(unet.bytes == 2 * unet.parameters)
    #expect(unet.facts.contains { $0.name == "widths" && $0.value == "32, 64, 96, 96" })
    #expect(unet.ignoredKeys.isEmpty && unet.unread.isEmpty)
    let vae = try model.summary(.vae)
    #expect(vae.facts.contains { $0.name == "pixels per latent" && $0.value == "4" })
    let text = try goldenBase().summary(.textEncoder)
    let bytes = text.dtypes == [.f32: text.tensors] ? 4 : 0
    #expect(text.bytes == bytes * text.parameters)
  }
}
