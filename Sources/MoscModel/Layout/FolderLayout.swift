import Foundation
import MoscFormats

/// A model as diffusers saves it: a folder with one subfolder per part.
package struct FolderLayout: ModelLayout {
  package let url: URL
  /// The weights variant to use, such as `fp16`; nil takes what is there.
  let variant: String?
  /// The subfolder of the autoencoder.
  private let vaeFolder: String

  /// - Throws: `FormatError` when the folder holds a pipeline of another kind.
  init(_ url: URL, variant: String?) throws {
    self.url = try Self.snapshot(url)
    self.variant = variant
    vaeFolder = DiffusersModel.Component.vae.rawValue
    let parts = DiffusersModel.Component.allCases.map(\.rawValue)
    guard (parts + ["model_index.json"]).contains(where: has) else {
      throw FormatError(
        url.path, nil,
        "is a folder without a model: expected \(parts.joined(separator: ", ")) in it, as diffusers saves them; "
          + "give the folder that holds these, or a file")
    }
    try checkIndex()
  }

  private init(vaeIn url: URL, subfolder: String) {
    (self.url, variant, vaeFolder) = (url, nil, subfolder)
  }

  /// The autoencoder of a model folder, or a folder that holds an autoencoder alone.
  static func vae(_ url: URL) throws -> FolderLayout {
    let url = try snapshot(url)
    let isWhole = FileManager.default.fileExists(atPath: url.appending(path: "vae").path)
    guard isWhole || FileManager.default.fileExists(atPath: url.appending(path: "config.json").path) else {
      throw FormatError(
        url.path, nil, "is a folder without an autoencoder: expected 'vae', or config.json and its weights, in it")
    }
    return FolderLayout(vaeIn: url, subfolder: isWhole ? "vae" : "")
  }

  package func config(_ component: DiffusersModel.Component) throws -> JSONObject {
    try JSONObject(contentsOf: try subfolder(component).appending(path: "config.json"))
  }

  package func files(_ component: DiffusersModel.Component) throws -> ComponentFiles {
    let folder = try subfolder(component)
    let files = try Self.weights(in: folder, stem: component.stem, variant: variant)
    return ComponentFiles(
      component: component.rawValue, files: try files.map { try WeightFile.open($0) })
  }

  package func schedulerConfig() throws -> JSONObject? { try object("scheduler/scheduler_config.json") }

  package func defaults() throws -> JSONObject? { try object("mosc.json") }

  package func conceptWords() throws -> JSONObject? { try object("new_concept_cfg.json") }

  package func learntWords() throws -> JSONObject? { try object("words.json") }

  package func tokenizerFolder() throws -> URL { url.appending(path: "tokenizer") }

  private func has(_ name: String) -> Bool {
    FileManager.default.fileExists(atPath: url.appending(path: name).path)
  }

  private func object(_ path: String) throws -> JSONObject? {
    let file = url.appending(path: path)
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    return try JSONObject(contentsOf: file)
  }

  private func subfolder(_ component: DiffusersModel.Component) throws(FormatError) -> URL {
    let name = component == .vae ? vaeFolder : component.rawValue
    let folder = name.isEmpty ? url : url.appending(path: name)
    guard FileManager.default.fileExists(atPath: folder.path) else {
      throw FormatError(url.path, nil, "expected a subfolder '\(component.rawValue)', found none")
    }
    return folder
  }

  /// The revision that a folder of the hub's cache (`models--…`) holds, else the folder itself.
  private static func snapshot(_ url: URL) throws -> URL {
    let files = FileManager.default
    let snapshots = url.appending(path: "snapshots")
    guard files.fileExists(atPath: snapshots.path),
      !files.fileExists(atPath: url.appending(path: "model_index.json").path)
    else { return url }
    let main = url.appending(path: "refs/main")
    if files.fileExists(atPath: main.path) {
      let name = String(decoding: try readFile(main), as: UTF8.self)
        .trimmingCharacters(in: .whitespacesAndNewlines)
      if !name.contains("/"), files.fileExists(atPath: snapshots.appending(path: name).path) {
        return snapshots.appending(path: name)
      }
    }
    let names = try namesInFolder(snapshots).filter { !$0.hasPrefix(".") }
    guard let name = names.first, names.count == 1 else {
      throw FormatError(
        snapshots.path, nil,
        "holds \(names.count) revisions and refs/main names none of them; give one of the folders")
    }
    return snapshots.appending(path: name)
  }

  /// Refuses pipelines whose parts are not those of Stable Diffusion 1.x and 2.x.
  private func checkIndex() throws {
    // A folder without index is accepted: its parts speak for themselves.
    guard let index = try object("model_index.json") else { return }
    let classes = [
      "unet": "UNet2DConditionModel", "vae": "AutoencoderKL", "text_encoder": "CLIPTextModel",
    ]
    for (part, expected) in classes.sorted(by: { $0.key < $1.key }) {
      guard let found = index[part]?.array?.last, found != .null else { continue }
      let isTiny = part == "vae" && found.string == TinyAutoencoderConfig.className
      guard found.string == expected || isTiny else {
        throw index.error(part, "expected class \(expected), found \(found)")
      }
    }
    for part in ["text_encoder_2", "transformer"] {
      if let found = index[part]?.array?.last, found != .null {
        throw index.error(part, "found \(found); only Stable Diffusion 1.x and 2.x are supported")
      }
    }
  }

  // MARK: Weights

  /// Finds the weights of a part: `STEM.safetensors`, then the index of a sharded file, then the
  /// `fp16` variant, then the same as pickles (`.bin`); a named variant is looked for alone.
  ///
  /// - Parameter stem: `model` or `diffusion_pytorch_model`.
  static func weights(in folder: URL, stem: String, variant: String?) throws -> [URL] {
    // transformers names pickles otherwise.
    let stems = [("safetensors", stem), ("bin", stem == "model" ? "pytorch_model" : stem)]
    for (kind, stem) in stems {
      for infix in variant.map({ [".\($0)"] }) ?? ["", ".fp16"] {
        let single = folder.appending(path: "\(stem)\(infix).\(kind)")
        if FileManager.default.fileExists(atPath: single.path) { return [single] }
        let indices = ["\(stem).\(kind).index\(infix).json", "\(stem)\(infix).\(kind).index.json"]
        for name in indices {
          let index = folder.appending(path: name)
          if FileManager.default.fileExists(atPath: index.path) { return try shards(index, kind) }
        }
      }
    }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    let others = names.filter { $0.hasSuffix(".safetensors") || $0.hasSuffix(".bin") }.sorted()
    let wanted = variant.map { "\(stem).\($0).safetensors" } ?? "\(stem).safetensors"
    throw FormatError(
      folder.path, nil,
      "expected \(wanted), found "
        + (others.isEmpty ? "no weights" : others.joined(separator: ", ")))
  }

  /// The files that the index of a sharded checkpoint names, in order; names must not leave the
  /// folder.
  private static func shards(_ index: URL, _ kind: String) throws -> [URL] {
    let object = try JSONObject(contentsOf: index)
    guard let map = object["weight_map"]?.members else {
      throw object.error("weight_map", "expected an object from tensor to file name")
    }
    var names: Set<String> = []
    for member in map {
      guard let name = member.value.string, !name.contains("/"), name.hasSuffix(".\(kind)")
      else {
        throw object.error(
          "weight_map.\(member.key)", "expected a .\(kind) file name, found \(member.value)")
      }
      names.insert(name)
    }
    if names.isEmpty { throw object.error("weight_map", "names no file") }
    return names.sorted().map { index.deletingLastPathComponent().appending(path: $0) }
  }
}
