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
    let target = DiffusersFolder(url: folder)
    try target.writeAllButWeights(of: base)
    try target.writeWeights(of: base, .vae)
    let set = try AdapterSet(
      [(AdapterFile(path: "the fused concepts", layers: [], words: words), AdapterStrength())], base)
    for component in [DiffusersModel.Component.unet, .textEncoder] {
      try Interruption.check()
      try writeWeights(component, to: target, words: set)
    }
    try writeConfigs(to: target, words: try base.conceptWords() + set.words, added: set.words)
  }

  /// The tensors of a part, changed where the fusion changes them, in the types they had.
  private func writeWeights(
    _ component: DiffusersModel.Component, to folder: DiffusersFolder, words: AdapterSet
  ) throws {
    let changes = Dictionary(
      layers.filter { $0.network.component == component }.map { ($0.key, $0) },
      uniquingKeysWith: { $1 })
    let tensors = try base.weights(component).all
    let rows = words.rows
    let entries = tensors.map { tensor in
      var shape = tensor.shape
      if let rows, Self.isTokenTable(tensor.name) { shape[0] = rows.tokens.upperBound }
      return (tensor.name, tensor.stored.dtype, shape)
    }
    let target = folder.url.appending(path: "\(component.rawValue)/\(component.stem).safetensors")
    try makeFolder(target.deletingLastPathComponent())
    try SafetensorsFile.write(entries, metadata: ["format": "pt"], to: target) { index in
      let tensor = tensors[index]
      let bytes = try tensor.bytes(as: nil)
      if let rows, Self.isTokenTable(tensor.name) {
        let (first, width) = (rows.tokens.lowerBound, tensor.shape[1])
        let table = rows.store.weight(AdapterTensor.tokenRows.name)
        let values = table.map { ElementType.floats($0.bytes, $0.dtype) } ?? []
        let gap = [Float](repeating: 0, count: max(0, first - tensor.shape[0]) * width)
        let kept = bytes.prefix(first * width * tensor.stored.dtype.byteSize)
        return try Array(kept) + stored(gap + values, tensor)
      }
      guard let change = Self.change(of: tensor.name, in: changes) else { return bytes }
      var weight = bytes.withUnsafeBytes { ElementType.doubles($0, tensor.stored.dtype) }
      let rank = change.rank
      let up = Matrix(
        change.up.count / rank, rank, change.up.floats.map { Double($0) * Double(change.scale) })
      let down = Matrix(rank, change.down.count / rank, change.down.floats.map(Double.init))
      guard up.rows * down.columns == weight.count else {
        throw FormatError(
          tensor.file.place, "tensor \"\(tensor.storedName)\"",
          "has shape \(tensor.shape), the change is \(up.rows)x\(down.columns)")
      }
      let difference = Matrix.product(up, down)
      for i in weight.indices { weight[i] += difference.values[i] }
      return try stored(weight.map { Float($0) }, tensor)
    }
    guard let rows, component == .textEncoder else { return }
    var config = try base.layout.config(component).members
    config.set("vocab_size", .int(rows.tokens.upperBound))
    try folder.write(.object(config), to: "\(component.rawValue)/config.json")
  }

  /// Changed numbers in the type that the tensor had; none may have left its range.
  private func stored(
    _ values: [Float], _ tensor: PartWeights.Tensor
  ) throws -> [UInt8] {
    let dtype = tensor.stored.dtype
    func failure(_ message: String) -> FormatError {
      FormatError(tensor.file.place, "tensor \"\(tensor.storedName)\"", message)
    }
    guard let bytes = ElementType.bytes(values, dtype) else {
      throw failure("is \(dtype.rawValue), expected floats")
    }
    let kept = bytes.withUnsafeBytes { ElementType.floats($0, dtype) }
    if let bad = kept.first(where: { !$0.isFinite }) {
      throw failure("would hold \(bad) with the change, expected numbers that \(dtype.rawValue) has")
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
    to folder: DiffusersFolder, words: [ConceptWord], added: [ConceptWord]
  ) throws {
    let concepts = words.map { word in
      JSONValue.Member(
        word.text,
        .object([
          .init("concept_token_ids", .array(word.tokenIDs.map { .int(Int($0)) })),
          .init("concept_token_names", .array(word.tokenNames.map { .string($0) })),
        ]))
    }
    try folder.write(.object(concepts), to: "new_concept_cfg.json")

    let tokens = "tokenizer/added_tokens.json"
    let file = folder.url.appending(path: tokens)
    var table: [JSONValue.Member] = []
    if FileManager.default.fileExists(atPath: file.path) {
      table = try JSONObject(contentsOf: file).members
    }
    for word in added {
      for (name, id) in zip(word.tokenNames, word.tokenIDs) { table.set(name, .int(Int(id))) }
    }
    try folder.write(.object(table), to: tokens)

    var schedule = try base.layout.schedulerConfig()?.members ?? []
    let solver = "DPMSolverMultistepScheduler"
    schedule.set("_class_name", .string(solver))
    for (key, value) in [("algorithm_type", JSONValue.string("dpmsolver++")), ("solver_order", .int(2))]
    where !schedule.contains(where: { $0.key == key }) {
      schedule.set(key, value)
    }
    try folder.write(.object(schedule), to: "scheduler/scheduler_config.json")
    try folder.writeIndex(scheduler: solver)
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
