import Foundation
import MoscFormats
import MoscIR

/// A `CLIPModel` as transformers saves it: a folder with config.json, preprocessor_config.json, the
/// tokenizer's files and the weights of both towers in model.safetensors.
package struct CLIPModelFolder: Sendable {
  /// A function of the model, with the pictures or texts that it takes together.
  package enum Function: Hashable, Sendable {
    case vision(batch: Int)
    case text(batch: Int)
  }

  package let url: URL
  package let config: CLIPConfig
  package let picture: CLIPPictureConfig
  package let tokenizer: CLIPTokenizer

  /// Reads everything but the weights.
  ///
  /// - Throws: `FormatError` for files, `Diagnostic` for a configuration that makes no CLIP.
  package init(at url: URL) throws {
    let file = url.appending(path: "config.json")
    guard FileManager.default.fileExists(atPath: file.path) else {
      throw FormatError(url.path, nil, "is no folder of a CLIP model: it has no config.json")
    }
    self.url = url
    config = try CLIPConfig(try JSONObject(contentsOf: file))
    let transform = url.appending(path: "preprocessor_config.json")
    picture =
      FileManager.default.fileExists(atPath: transform.path)
      ? try CLIPPictureConfig(try JSONObject(contentsOf: transform), side: config.vision.side)
      : CLIPPictureConfig(side: config.vision.side)
    tokenizer = try CLIPTokenizer(folder: url)
    guard tokenizer.nextID <= config.text.vocabulary, tokenizer.maximumLength <= config.text.positions else {
      throw FormatError(
        url.path, nil,
        "its tokenizer has \(tokenizer.nextID) tokens and texts of \(tokenizer.maximumLength), but the text "
          + "tower \(config.text.vocabulary) rows and \(config.text.positions) positions")
    }
  }

  /// The judge that ships with the program.
  package static func judge() throws -> CLIPModelFolder {
    try CLIPModelFolder(at: try BundledFiles.folder(judgeName))
  }

  /// The folder of the judge beside the program.
  package static let judgeName = "judge"

  /// The logarithm of what cosines are multiplied with in training; nothing else reads it.
  package static let logitScale = "logit_scale"

  private static let source = "clip"

  private static let explained = [
    ExplainedTensor(
      "text_model.embeddings.position_ids", "the numbers 0, 1, 2, … as older versions saved them"),
    ExplainedTensor(
      "vision_model.embeddings.position_ids", "the numbers 0, 1, 2, … as older versions saved them"),
    ExplainedTensor(logitScale, "sharpens the choice among pictures in training, not used here"),
  ]

  /// What both towers ask of the files.
  package func requests() throws -> WeightRequests {
    var recording = NetworkWeights(recording: Self.source)
    _ = try CLIPVision(config).graph(batch: 1, &recording)
    _ = try CLIPText(config).graph(batch: 1, &recording)
    return recording.requests
  }

  /// The weights, after checking that they are those of the configuration.
  ///
  /// - Throws: `FormatError` for files, `Diagnostic` for tensors that do not fit.
  package func weights() throws -> PartWeights {
    let urls = try FolderLayout.weights(in: url, stem: "model", variant: nil)
    let files = ComponentFiles(component: Self.source, files: try urls.map { try WeightFile.open($0) })
    let table = WeightTable(
      try files.tensors(), declarations: files.declarations, explained: Self.explained)
    let requests = try requests()
    try table.check(requests)
    return PartWeights(files: files, table: table, requests: requests)
  }

  /// The IR of a tower.
  ///
  /// - Throws: what is wrong with the weights.
  package func program(_ function: Function) throws -> ModelProgram {
    let part = try weights()
    var own = NetworkWeights(part.table)
    let graph: Graph
    switch function {
    case .vision(let batch): graph = try CLIPVision(config).graph(batch: batch, &own)
    case .text(let batch): graph = try CLIPText(config).graph(batch: batch, &own)
    }
    return ModelProgram(
      module: Module(weights: part.files.declarations, graphs: [graph]), files: part.files)
  }

  /// The inputs of the text tower for some texts: ids `[n,t]` and the rows of their end tokens `[n]`.
  ///
  /// The end token is the one with the largest id. Longer texts are cut.
  package func inputs(_ texts: [String]) -> [String: HostArray] {
    let length = config.text.positions
    var ids: [Int32] = []
    var ends: [Int32] = []
    for (number, text) in texts.enumerated() {
      var own = tokenizer.encode(text).ids
      own += [Int32](repeating: tokenizer.pad, count: length - own.count)
      let last = own.max().flatMap(own.firstIndex(of:)) ?? 0
      ends.append(Int32(number * length + last))
      ids += own
    }
    return [
      "input_ids": HostArray(ids, shape: [texts.count, length]),
      "ends": HostArray(ends, shape: [texts.count]),
    ]
  }
}
