import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport
import RunSupport
import TestSupport
import Testing

/// Ids of concept words where the tokenizer has more tokens than the text encoder has embeddings.
@Suite struct WordIDTests {
  private let scratch = Scratch()

  /// A model whose tokenizer knows two tokens past the table, which may be padded with zeros for them.
  private func model(_ name: String, isPadded: Bool) throws -> DiffusersModel {
    let manager = FileManager.default
    let base = try DiffusersModel.embedded()
    let folder = URL(fileURLWithPath: scratch.path(name))
    try manager.createDirectory(
      at: folder.appending(path: "text_encoder"), withIntermediateDirectories: true)
    for part in ["unet", "vae", "tokenizer"] {
      try manager.copyItem(
        at: base.url.appending(path: part), to: folder.appending(path: part))
    }
    let known = try base.textEncoder().config.vocabulary
    try Data("{\"<extra1>\": \(known), \"<extra2>\": \(known + 1)}".utf8)
      .write(to: folder.appending(path: "tokenizer/added_tokens.json"))
    let size = isPadded ? known + 2 : known
    let config = try JSONObject(contentsOf: base.url.appending(path: "text_encoder/config.json"))
    let members = config.members.filter { $0.key != "vocab_size" }
      + [JSONValue.Member("vocab_size", .int(size))]
    try Data("\(JSONValue.object(members))".utf8)
      .write(to: folder.appending(path: "text_encoder/config.json"))
    let file = try SafetensorsFile(
      base.url.appending(path: "text_encoder/model.safetensors"))
    let tensors = try file.entries.map { entry in
      let array = try file.array(entry.name)
      guard entry.name.hasSuffix("token_embedding.weight") else { return (entry.name, array) }
      let zeros = [Float](repeating: 0, count: (size - known) * entry.shape[1])
      return (entry.name, HostArray(array.floats + zeros, shape: [size, entry.shape[1]]))
    }
    try SafetensorsFile.write(
      tensors, metadata: [:], to: folder.appending(path: "text_encoder/model.safetensors"))
    return try DiffusersModel(at: folder)
  }

  /// The states of a prompt with a concept of one word.
  private func states(_ model: DiffusersModel, rows: Int) throws -> [Float] {
    var model = model
    let width = try model.textEncoder().config.width
    let values = (0..<rows * width).map { Float($0 * 37 % 101) / 50 - 1 }
    let word = AdapterFile.Word(text: "<new>", rows: HostArray(values, shape: [rows, width]))
    let file = AdapterFile(path: "concept", layers: [], words: [word])
    model.adapters = try AdapterSet([(file, AdapterStrength())], model)
    var options = CompilationOptions()
    options.cacheFolder = SharedKernels.folder
    let compiler = try Compiler(options, precision: .f32, .silent)
    let encoder = try PromptEncoder(
      ModelComponents(model, compiler), skippedLayers: 0, .silent)
    let prompt = "a <new>, on grass"
    return try #require(try encoder.encode([prompt])[prompt]).floats
  }

  @Test func theGapBetweenTokenizerAndTableMovesNoRow() throws {
    let (short, padded) = (try model("short", isPadded: false), try model("padded", isPadded: true))
    for rows in [1, try short.unet().config.crossAttentionLayers] {
      let expected = try states(padded, rows: rows)
      #expect(Comparison.relative(try states(short, rows: rows), expected) < 1e-6, "\(rows) rows")
    }
  }
}
