import Foundation
import MoscFormats

/// A folder in diffusers layout that a model is written to.
package struct DiffusersFolder {
  package let url: URL

  package init(url: URL) { self.url = url }

  /// Writes everything of a model but its weights: index, configurations and the tokenizer's files.
  package func writeAllButWeights(of model: DiffusersModel) throws {
    let scheduler = try model.layout.schedulerConfig()?.members ?? []
    let kind = scheduler.first { $0.key == "_class_name" }?.value.string ?? "PNDMScheduler"
    let vae = try model.layout.config(.vae)["_class_name"]?.string ?? "AutoencoderKL"
    try writeIndex(scheduler: kind, vae: vae)
    if !scheduler.isEmpty { try write(.object(scheduler), to: "scheduler/scheduler_config.json") }
    for component in DiffusersModel.Component.allCases {
      let config = try model.layout.config(component)
      try write(.object(config.members), to: "\(component.rawValue)/config.json")
    }
    try copyTokenizer(of: model)
    if let defaults = try model.layout.defaults() {
      try write(.object(defaults.members), to: "mosc.json")
    }
    if let words = try model.layout.conceptWords() {
      try write(.object(words.members), to: "new_concept_cfg.json")
    }
    if let words = try model.layout.learntWords() {
      try write(.object(words.members), to: "words.json")
    }
  }

  /// Writes the index by which diffusers finds the parts.
  package func writeIndex(scheduler: String, vae: String = "AutoencoderKL") throws {
    func pair(_ library: String, _ name: String) -> JSONValue {
      .array([.string(library), .string(name)])
    }
    let none = JSONValue.array([.null, .null])
    try write(
      .object([
        .init("_class_name", .string("StableDiffusionPipeline")),
        .init("_diffusers_version", .string("0.19.3")),
        .init("feature_extractor", none), .init("requires_safety_checker", .bool(false)),
        .init("safety_checker", none), .init("scheduler", pair("diffusers", scheduler)),
        .init("text_encoder", pair("transformers", "CLIPTextModel")),
        .init("tokenizer", pair("transformers", "CLIPTokenizer")),
        .init("unet", pair("diffusers", "UNet2DConditionModel")),
        .init("vae", pair("diffusers", vae)),
      ]), to: "model_index.json")
  }

  /// Copies the tokenizer's files; they belong to whoever runs the program, whosever the model is.
  package func copyTokenizer(of model: DiffusersModel) throws {
    let source = try model.layout.tokenizerFolder()
    for name in try namesInFolder(source).sorted()
    where name.hasSuffix(".json") || name.hasSuffix(".txt") {
      try write(try readFile(source.appending(path: name)), to: "tokenizer/\(name)")
    }
  }

  /// Writes the weights of a part.
  ///
  /// - Parameter type: the type of floats in the file; nil keeps the type of each.
  package func writeWeights(
    of model: DiffusersModel, _ component: DiffusersModel.Component, as type: ElementType? = nil
  ) throws {
    let tensors = try model.weights(component).all
    let target = url.appending(path: "\(component.rawValue)/\(component.stem).safetensors")
    try makeFolder(target.deletingLastPathComponent())
    try SafetensorsFile.write(
      tensors.map { ($0.name, type ?? $0.stored.dtype, $0.shape) }, metadata: ["format": "pt"],
      to: target
    ) { try tensors[$0].bytes(as: type) }
  }

  /// Writes a JSON file, an object with a line for each member.
  package func write(_ value: JSONValue, to path: String) throws {
    var text = "\(value)"
    if let members = value.members, !members.isEmpty {
      let lines = members.map { "  \(JSONText.quote($0.key)): \($0.value)" }
      text = "{\n\(lines.joined(separator: ",\n"))\n}"
    }
    try write(Data("\(text)\n".utf8), to: path)
  }

  private func write(_ data: Data, to path: String) throws {
    let file = url.appending(path: path)
    try makeFolder(file.deletingLastPathComponent())
    try AtomicFile.write(data, to: file)
  }
}

extension PartWeights.Tensor {
  /// The elements in a type of floats, nil for their own; their pages are given back.
  package func bytes(as type: ElementType?) throws(FormatError) -> [UInt8] {
    defer { file.dropPages(of: storedName) }
    return try withExtendedLifetime(file) { () throws(FormatError) in
      guard let type, type != stored.dtype else { return Array(stored.bytes) }
      let values = ElementType.floats(stored.bytes, stored.dtype)
      guard let bytes = ElementType.bytes(values, type) else {
        throw FormatError(
          file.place, "tensor \"\(storedName)\"", "cannot be written as \(type.rawValue)")
      }
      if type == .f16, let lost = values.first(where: { $0.isFinite && !Float16($0).isFinite }) {
        throw FormatError(
          file.place, "tensor \"\(storedName)\"", "holds \(lost), which F16 cannot; use bf16 or f32")
      }
      return bytes
    }
  }
}
