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
  /// The picture that it was made from and the mask, where it remembers them.
  var source, mask: RememberedPicture?
  /// Whether it was made from a picture.
  package var hasSource = false
  /// The adapters that regions name.
  var regionAdapters: [Adapter] = []
  /// The processor that kernels were compiled for.
  var processor: String?
  /// What is not drawn as it was.
  package var remarks: [String] = []

  /// Reads the texts of a PNG, JPEG or WebP file.
  ///
  /// - Throws: `FormatError` when no text tells enough to draw.
  package init(contentsOf url: URL) throws { try self.init(try readFile(url), path: url.path) }

  /// Reads the texts of the bytes of such a file; the path is for errors.
  package init(_ data: Data, path: String) throws {
    let texts = try ImageFile.texts(data, path: path)
    func text(_ keyword: String) -> String? { texts.first { $0.keyword == keyword }?.text }
    if let own = text("mosc") {
      try self.init(mosc: own, path: path)
    } else if let parameters = text("parameters"), !parameters.trimmingCharacters(in: .whitespacesAndNewlines).hasPrefix("{") {
      try self.init(parameters: parameters, path: path)
    } else if let graph = text("prompt") {
      try self.init(comfyUI: graph, path: path)
    } else {
      let found = texts.map { "'\($0.keyword)'" }.joined(separator: ", ")
      throw FormatError(
        path, nil,
        "does not say how it was drawn: expected a text 'mosc', 'parameters' or 'prompt', found "
          + (found.isEmpty ? "none" : found))
    }
  }

  init() {}

  /// The adapters as tags of a prompt.
  package var adapterTags: [(name: String, tag: String)] {
    adapters.map { ($0.name, "<lora:\($0.name):\($0.textEncoder):\($0.unet)>") }
  }

  /// Notes what cannot be followed.
  mutating func remark(_ text: String) { if !remarks.contains(text) { remarks.append(text) } }
}
