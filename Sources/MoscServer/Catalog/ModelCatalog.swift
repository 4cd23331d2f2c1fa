import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport
import Synchronization

/// The models, concepts and embeddings that clients may name, by names alone.
final class ModelCatalog: Sendable {
  /// A model.
  struct Model: Sendable {
    /// The name of its file or folder.
    var id: String
    /// Where it is; nil for the embedded one.
    var path: String?

    /// The name without an ending.
    var stem: String { (id as NSString).deletingPathExtension }
  }

  /// What the embedded model is called.
  static let embedded = "mosc-base"

  /// The model that is there at the start.
  let standard: Model
  /// Where concepts are, and where taught ones go.
  let loraFolder: URL
  private let folder: URL?
  private let embeddingFolder: URL?
  private let cache: URL?
  private let conditions: ConditionNetworks
  /// SHA-256 by model, as far as they are known.
  private let hashes = Mutex<[String: String]>([:])

  init(_ options: ServerOptions, _ store: JobStore) throws {
    folder = options.models.map { URL(fileURLWithPath: $0, isDirectory: true) }
    conditions = ConditionNetworks(folder)
    embeddingFolder = options.embeddingFolder.map { URL(fileURLWithPath: $0, isDirectory: true) }
    loraFolder =
      options.loraFolder.map { URL(fileURLWithPath: $0, isDirectory: true) }
      ?? store.root.appending(path: "concepts")
    try makeFolder(loraFolder)
    cache = options.compiler.usesCache ? CacheFolder(options.compiler.cacheFolder).hashes : nil
    standard = options.model.path.map {
      Model(id: URL(fileURLWithPath: $0).standardizedFileURL.lastPathComponent, path: $0)
    } ?? Model(id: Self.embedded)
    // A wrong option is told at once, and not by the first request.
    _ = try ModelComponents.open(options.model)
  }

  // MARK: Models

  private static let modelEndings: Set<String> = ["safetensors", "ckpt", "pt", "pth", "bin"]

  /// All models, the one of the start first.
  func models() throws -> [Model] {
    var result = [standard]
    if standard.path != nil { result.append(Model(id: Self.embedded)) }
    for name in try folder.map({ try namesInFolder($0) }) ?? [] where !name.hasPrefix(".") {
      guard let url = folder?.appending(path: name) else { continue }
      let isModel =
        Self.modelEndings.contains(url.pathExtension.lowercased())
        || FileManager.default.fileExists(atPath: url.appending(path: "model_index.json").path)
      if isModel, !result.contains(where: { $0.id == name }), conditions.kind(url) == nil { result.append(Model(id: name, path: url.path)) }
    }
    return result
  }

  /// What the web UI calls a model: its name with the beginning of its hash.
  func title(_ model: Model) -> String { model.id + (hash(model).map { " [\($0.prefix(10))]" } ?? "") }

  /// The SHA-256 of the model, once it is known.
  func hash(_ model: Model) -> String? { hashes.withLock { $0[model.id] } }

  /// The model of a title, a name, a name without ending or a hash.
  ///
  /// - Throws: `APIError` 404 for an unknown one.
  func find(_ name: String) throws -> Model {
    let all = try models()
    let wanted = name.trimmingCharacters(in: .whitespaces)
    // A title may have been read before its hash was known.
    let plain = wanted.replacing(/\ \[[0-9a-f]{10}\]$/, with: "")
    if let found = all.first(where: { $0.id == plain }) ?? all.first(where: { $0.stem == plain }) { return found }
    if wanted.count >= 8, wanted.allSatisfy(\.isHexDigit),
      let found = all.first(where: { hash($0)?.hasPrefix(wanted.lowercased()) == true })
    {
      return found
    }
    throw APIError(404, "there is no model '\(PlainPaths.clean(name))'", field: "model", kind: "model_not_found")
  }

  /// Computes the hashes that are not known, which of large models takes long.
  func hashAll() throws {
    for model in try models() where hash(model) == nil {
      try Interruption.check()
      let opened = try ModelComponents.open(model.path)
      guard let file = try opened.files(.unet).files.first.map({ URL(filePath: $0.place) }) else { continue }
      let hash = try FileHashes(folder: cache).sha256(of: file)
      hashes.withLock { $0[model.id] = hash }
    }
  }

  // MARK: Networks that follow pictures

  /// ControlNets and T2I-Adapters in the folder of models.
  func conditionNetworks() throws -> [ConditionNetworks.Network] { try conditions.all() }

  // MARK: Adapters

  private static let adapterEndings: Set<String> = ["safetensors", "pth", "pt", "bin"]

  /// The files of adapters; those of training states beside them are none.
  func loras() throws -> [String] {
    try Self.files(loraFolder).filter { !$0.hasSuffix(".state.safetensors") }
  }

  /// The files of embeddings.
  func embeddings() throws -> [String] { try embeddingFolder.map(Self.files) ?? [] }

  private static func files(_ folder: URL) throws -> [String] {
    try namesInFolder(folder).filter {
      adapterEndings.contains(($0 as NSString).pathExtension.lowercased()) && !$0.hasPrefix(".")
    }.sorted()
  }

  /// The words of an adapter's or embedding's file, with their vectors and width.
  func words(_ name: String, isEmbedding: Bool) throws -> [(text: String, vectors: Int, width: Int)] {
    guard let folder = isEmbedding ? embeddingFolder : loraFolder else { return [] }
    return try AdapterFile(folder.appending(path: name)).words.map { word in
      (word.text, word.isLayerwise ? 1 : word.rows.shape[0], word.rows.shape[1])
    }
  }
}
