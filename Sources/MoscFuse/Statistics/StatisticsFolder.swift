import Foundation
import MoscFormats
import MoscIR
import MoscModel
import MoscNetworks
import MoscReport

/// A folder that keeps concepts with their statistics, so that a later fusion need not run the
/// networks again; also where an interrupted fusion finds what was done.
///
/// `fusion.json` lists the concepts in order with their strengths and what the statistics depend on;
/// `NAME.safetensors` is the concept, `NAME.STAGE.moments` its statistics.
struct StatisticsFolder {
  let url: URL
  private static let manifest = "fusion.json"
  private static let momentsSuffix = ".moments"
  private static let refinementPrefix = ".refinement-"
  private static let version = 1

  init(_ url: URL) { self.url = url }

  /// Makes the folder when it is not there, and marks it as one of these.
  ///
  /// - Throws: when it holds files of others, which concepts of the same name would replace.
  func prepare(for model: String) throws {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), !isFolder.boolValue {
      throw CommandError.failure("'\(url.path)' is a file, expected a folder for statistics")
    }
    try makeFolder(url)
    let names = try namesInFolder(url).filter { !Unfinished.isName($0) }
    if names.contains(Self.manifest) {
      _ = try manifest()
    } else if let foreign = names.first {
      throw CommandError.failure(
        "'\(url.path)' holds '\(foreign)', expected an empty folder or one with statistics of mosc fuse")
    } else {
      try writeManifest([], of: model)
    }
  }

  /// Removes the statistics, and the folder if nothing of others is in it; the mark goes last.
  func remove() {
    let names = (try? namesInFolder(url)) ?? []
    for name in names where name.hasSuffix(Self.momentsSuffix) { unlink(url.appending(path: name).path) }
    unlink(url.appending(path: Self.manifest).path)
    rmdir(url.path)
  }

  /// Where the statistics of a concept and stage are.
  func moments(_ concept: FusionConcept, _ stage: FusionLayer.Stage) -> URL {
    url.appending(path: "\(Self.fileName(concept.name)).\(stage.rawValue)\(Self.momentsSuffix)")
  }

  /// Where the state of a refinement is: one of other settings is none to go on from.
  func refinement(_ settings: String) -> URL {
    let key = FileHash.sha256(Data(settings.utf8)).prefix(16)
    return url.appending(path: "\(Self.refinementPrefix)\(key).safetensors")
  }

  /// Removes the states of refinements, with what lies beside them.
  func removeRefinement() {
    let names = (try? namesInFolder(url)) ?? []
    for name in names where name.hasPrefix(Self.refinementPrefix) { unlink(url.appending(path: name).path) }
  }

  private func file(_ name: String) -> URL {
    url.appending(path: "\(Self.fileName(name)).safetensors")
  }

  /// The name of a concept's files: names may hold characters that file names may not.
  static func fileName(_ name: String) -> String {
    String(name.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? $0 : "_" })
  }

  /// The concepts that the folder keeps.
  ///
  /// - Throws: when the folder keeps none, or those of another model.
  func concepts(of model: String) throws -> [FusionConcept] {
    let path = url.appending(path: Self.manifest)
    let (object, entries) = FileManager.default.fileExists(atPath: path.path)
      ? try manifest() : (JSONObject(path: path.path, members: []), [])
    if entries.isEmpty {
      throw CommandError.failure(
        "'\(url.path)' keeps no concepts; fuse some with --stats '\(url.path)' first")
    }
    guard try object.string("model") == model else {
      throw object.error("model", "the statistics were made with another base model")
    }
    return try entries.map { entry in
      guard let name = entry["name"]?.string, let prompt = entry["prompt"]?.string,
        let digest = entry["sha256"]?.string, let strength = Self.strength(entry["strength"]),
        let measured = Self.strength(entry["measured"])
      else { throw object.error("concepts", "found \(entry)") }
      return try FusionConcept(
        path: file(name).path, strength: strength, calling: prompt, digest: digest,
        measured: measured, name: name)
    }
  }

  /// The mark of the folder and its concepts.
  private func manifest() throws -> (object: JSONObject, concepts: [JSONValue]) {
    let object = try JSONObject(contentsOf: url.appending(path: Self.manifest))
    guard try object.int("version") == Self.version else {
      throw object.error("version", "expected \(Self.version)")
    }
    _ = try object.string("model")
    guard let entries = object["concepts"]?.array else {
      throw object.error("concepts", "expected a list")
    }
    return (object, entries)
  }

  /// Keeps the concepts, and lets go of files of concepts that are no longer among them.
  func keep(_ concepts: [FusionConcept], of model: String) throws {
    for concept in concepts where concept.file.path != file(concept.name).path {
      try FusedFile.write(
        concept.file.layers, concept.file.words, title: concept.name, to: file(concept.name))
    }
    let entries = concepts.map { concept in
      JSONValue.object([
        .init("name", .string(concept.name)), .init("prompt", .string(concept.prompt)),
        .init("sha256", .string(concept.digest)),
        .init("strength", Self.value(concept.strength)),
        .init("measured", Self.value(concept.measured)),
      ])
    }
    try writeManifest(entries, of: model)
  }

  private func writeManifest(_ concepts: [JSONValue], of model: String) throws {
    let value = JSONValue.object([
      .init("version", .int(Self.version)), .init("model", .string(model)),
      .init("concepts", .array(concepts)),
    ])
    try AtomicFile.write(
      Data("\(value)\n".utf8), to: url.appending(path: Self.manifest))
  }

  private static func strength(_ value: JSONValue?) -> AdapterStrength? {
    guard let text = value?["text_encoder"]?.double, let unet = value?["unet"]?.double,
      Float(text).isFinite, Float(unet).isFinite
    else { return nil }
    return AdapterStrength(textEncoder: Float(text), unet: Float(unet))
  }

  private static func value(_ strength: AdapterStrength) -> JSONValue {
    .object([
      .init("text_encoder", .double(Double(strength.textEncoder))),
      .init("unet", .double(Double(strength.unet))),
    ])
  }
}

extension DiffusersModel {
  /// What tells one base model from another: the contents of everything that statistics depend on.
  func fingerprint() throws -> String {
    let parts = try contentHashes([.textEncoder, .unet]).map { "\($0.part) \($0.hash)" }
    return FileHash.sha256(Data(parts.joined(separator: "\n").utf8))
  }
}
