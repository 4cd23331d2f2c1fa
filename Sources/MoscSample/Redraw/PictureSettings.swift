import Foundation
import MoscDiffusion
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscRandom
import MoscReport

/// How a picture was drawn, as far as the texts in it tell.
package struct PictureSettings {
  /// An adapter file that is not in the picture.
  struct Adapter: Hashable {
    var name: String
    var textEncoder: Float
    var unet: Float
    /// The SHA-256 of the file, or its beginning; nil where the picture does not tell.
    var hash: String?
    var blocks: BlockWeights?
  }

  /// The program that drew it.
  package var origin = ""
  package var request = SampleRequest()
  /// The name of the model; nil for the embedded one.
  package var model: String?
  /// The beginning of the SHA-256 of the model's file.
  package var modelHash: String?
  var adapters: [Adapter] = []
  /// The adapters that regions name.
  var regionAdapters: [Adapter] = []
  /// The processor that kernels were compiled for.
  var processor: String?
  /// What is not drawn as it was.
  package var remarks: [String] = []

  /// Reads the texts of a PNG, JPEG or WebP file.
  ///
  /// - Throws: `FormatError` when no text tells enough to draw.
  package init(contentsOf url: URL) throws {
    let data = try readFile(url)
    let texts = try ImageFile.texts(data, path: url.path)
    func text(_ keyword: String) -> String? { texts.first { $0.keyword == keyword }?.text }
    if let own = text("mosc") {
      try self.init(mosc: own, path: url.path)
    } else if let parameters = text("parameters"), !parameters.trimmingCharacters(in: .whitespacesAndNewlines).hasPrefix("{") {
      try self.init(parameters: parameters, path: url.path)
    } else if let graph = text("prompt") {
      try self.init(comfyUI: graph, path: url.path)
    } else {
      let found = texts.map { "'\($0.keyword)'" }.joined(separator: ", ")
      throw FormatError(
        url.path, nil,
        "does not say how it was drawn: expected a text 'mosc', 'parameters' or 'prompt', found "
          + (found.isEmpty ? "none" : found))
    }
  }

  init() {}

  /// Notes what cannot be followed.
  mutating func remark(_ text: String) { if !remarks.contains(text) { remarks.append(text) } }
}
