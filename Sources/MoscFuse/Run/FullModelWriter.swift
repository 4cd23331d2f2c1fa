import Foundation
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

/// Writes a model with a fused change as a complete folder in diffusers layout, as the reference's
/// scripts read it: changed weights, token rows in the text encoder's table, added tokens in the
/// tokenizer, `new_concept_cfg.json`, and DPM-Solver++ as the scheduler.
struct FullModelWriter {
  let base: DiffusersModel
  let layers: [AdapterFile.Layer]
  let words: [AdapterFile.Word]

  /// Writes the folder, all or nothing.
  func write(to folder: FullModelFolder) throws { try folder.write(writeParts) }

  private func writeParts(to folder: URL) throws {
    for part in ["vae", "tokenizer"] {
      try copy(base.folder.appending(path: part), to: folder.appending(path: part))
    }
    let defaults = base.folder.appending(path: ModelDefaults.fileName)
    if FileManager.default.fileExists(atPath: defaults.path) {
      try AtomicFile.copy(defaults, to: folder.appending(path: ModelDefaults.fileName))
    }
    let set = try AdapterSet(
      [(AdapterFile(path: "the fused concepts", layers: [], words: words), AdapterStrength())], base)
    let all = try base.conceptWords() + set.words
    for component in [DiffusersModel.Component.unet, .textEncoder] {
      try Interruption.check()
      let target = folder.appending(path: component.rawValue)
      try makeFolder(target)
      try writeWeights(component, to: target, words: set)
    }
    try writeConfigs(to: folder, words: all, added: set.words)
  }

  /// Copies the files of a part; they belong to whoever runs the program, whosever the model is.
  private func copy(_ source: URL, to target: URL) throws {
    try makeFolder(target)
    for name in try namesInFolder(source) where !name.hasPrefix(".") {
      var isFolder: ObjCBool = false
      let file = source.appending(path: name)
      guard FileManager.default.fileExists(atPath: file.path, isDirectory: &isFolder),
        !isFolder.boolValue
      else { continue }
      try Interruption.check()
      try AtomicFile.copy(file, to: target.appending(path: name))
    }
  }

  /// The tensors of a part, changed where the fusion changes them, in the types they had.
  private func writeWeights(
    _ component: DiffusersModel.Component, to folder: URL, words: AdapterSet
  ) throws {
    let changes = Dictionary(
      layers.filter { $0.network.component == component }.map { ($0.key, $0) },
      uniquingKeysWith: { $1 })
    var sources: [(file: SafetensorsFile, entry: SafetensorsFile.Entry)] = []
    for file in try base.files(component).files { sources += file.entries.map { (file, $0) } }
    let rows = words.rows
    let entries = sources.map { _, entry in
      var shape = entry.shape
      if let rows, Self.isTokenTable(entry.name) { shape[0] = rows.tokens.upperBound }
      return (entry.name, entry.dtype, shape)
    }
    let target = folder.appending(path: "\(component.stem).safetensors")
    try SafetensorsFile.write(entries, metadata: ["format": "pt"], to: target) { index in
      let (file, entry) = sources[index]
      defer { file.dropPages(of: entry) }
      let bytes = file.bytes(of: entry)
      if let rows, Self.isTokenTable(entry.name) {
        let first = rows.tokens.lowerBound
        let table = rows.store.weight(AdapterTensor.tokenRows.name)
        let values = table.map { ElementType.floats($0.bytes, $0.dtype) } ?? []
        let gap = [Float](repeating: 0, count: max(0, first - entry.shape[0]) * entry.shape[1])
        let kept = bytes.prefix(first * entry.shape[1] * entry.dtype.byteSize)
        return try Array(kept) + stored(gap + values, file, entry)
      }
      guard let change = Self.change(of: entry.name, in: changes) else { return Array(bytes) }
      var weight = ElementType.floats(bytes, entry.dtype).map(Double.init)
      let rank = change.rank
      let up = Matrix(
        change.up.count / rank, rank, change.up.floats.map { Double($0) * Double(change.scale) })
      let down = Matrix(rank, change.down.count / rank, change.down.floats.map(Double.init))
      guard up.rows * down.columns == weight.count else {
        throw FormatError(
          file.url.path, "tensor \"\(entry.name)\"",
          "has shape \(entry.shape), the change is \(up.rows)x\(down.columns)")
      }
      let difference = Matrix.product(up, down)
      for i in weight.indices { weight[i] += difference.values[i] }
      return try stored(weight.map { Float($0) }, file, entry)
    }
    var config = try JSONObject(
      contentsOf: base.folder.appending(path: "\(component.rawValue)/config.json")).members
    if let rows, component == .textEncoder { config.set("vocab_size", .int(rows.tokens.upperBound)) }
    try write(.object(config), to: folder.appending(path: "config.json"))
  }

  /// Changed numbers in the type that the tensor had; none may have left its range.
  private func stored(
    _ values: [Float], _ file: SafetensorsFile, _ entry: SafetensorsFile.Entry
  ) throws -> [UInt8] {
    func failure(_ message: String) -> FormatError {
      FormatError(file.url.path, "tensor \"\(entry.name)\"", message)
    }
    guard let bytes = ElementType.bytes(values, entry.dtype) else {
      throw failure("is \(entry.dtype.rawValue), expected floats")
    }
    let kept = bytes.withUnsafeBytes { ElementType.floats($0, entry.dtype) }
    if let bad = kept.first(where: { !$0.isFinite }) {
      throw failure("would hold \(bad) with the change, expected numbers that \(entry.dtype.rawValue) has")
    }
    return bytes
  }

  private static func isTokenTable(_ name: String) -> Bool {
    name.hasSuffix("token_embedding.weight")
  }

  /// The change of a stored tensor; files may leave out the leading module name.
  private static func change(
    of name: String, in changes: [String: AdapterFile.Layer]
  ) -> AdapterFile.Layer? {
    guard name.hasSuffix(".weight") else { return nil }
    let key = String(name.dropLast(".weight".count)).replacing(".", with: "_")
    return changes[key] ?? changes["text_model_\(key)"]
  }

  // MARK: Configurations

  private func writeConfigs(
    to folder: URL, words: [ConceptWord], added: [ConceptWord]
  ) throws {
    let concepts = words.map { word in
      JSONValue.Member(
        word.text,
        .object([
          .init("concept_token_ids", .array(word.tokenIDs.map { .int(Int($0)) })),
          .init("concept_token_names", .array(word.tokenNames.map { .string($0) })),
        ]))
    }
    try write(.object(concepts), to: folder.appending(path: "new_concept_cfg.json"))

    let tokens = folder.appending(path: "tokenizer/added_tokens.json")
    var table: [JSONValue.Member] = []
    if FileManager.default.fileExists(atPath: tokens.path) {
      table = try JSONObject(contentsOf: tokens).members
    }
    for word in added {
      for (name, id) in zip(word.tokenNames, word.tokenIDs) { table.set(name, .int(Int(id))) }
    }
    try write(.object(table), to: tokens)

    var schedule: [JSONValue.Member] = []
    if FileManager.default.fileExists(atPath: base.schedulerConfig.path) {
      schedule = try JSONObject(contentsOf: base.schedulerConfig).members
    }
    schedule.set("_class_name", .string("DPMSolverMultistepScheduler"))
    for (key, value) in [("algorithm_type", JSONValue.string("dpmsolver++")), ("solver_order", .int(2))]
    where !schedule.contains(where: { $0.key == key }) {
      schedule.set(key, value)
    }
    let scheduler = folder.appending(path: "scheduler")
    try makeFolder(scheduler)
    try write(.object(schedule), to: scheduler.appending(path: "scheduler_config.json"))

    func pair(_ library: String, _ name: String) -> JSONValue {
      .array([.string(library), .string(name)])
    }
    let none = JSONValue.array([.null, .null])
    try write(
      .object([
        .init("_class_name", .string("StableDiffusionPipeline")),
        .init("_diffusers_version", .string("0.19.3")),
        .init("feature_extractor", none), .init("requires_safety_checker", .bool(false)),
        .init("safety_checker", none),
        .init("scheduler", pair("diffusers", "DPMSolverMultistepScheduler")),
        .init("text_encoder", pair("transformers", "CLIPTextModel")),
        .init("tokenizer", pair("transformers", "CLIPTokenizer")),
        .init("unet", pair("diffusers", "UNet2DConditionModel")),
        .init("vae", pair("diffusers", "AutoencoderKL")),
      ]), to: folder.appending(path: "model_index.json"))
  }

  private func write(_ value: JSONValue, to url: URL) throws {
    try AtomicFile.write(Data("\(value)\n".utf8), to: url)
  }
}

extension [JSONValue.Member] {
  /// Replaces the value of a key, or appends it.
  fileprivate mutating func set(_ key: String, _ value: JSONValue) {
    if let index = firstIndex(where: { $0.key == key }) {
      self[index].value = value
    } else {
      append(JSONValue.Member(key, value))
    }
  }
}
