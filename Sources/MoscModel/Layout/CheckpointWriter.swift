import Foundation
import MoscFormats

/// Writes a model as one file, in the names of the latent-diffusion code.
///
/// What such a file cannot say and Stable Diffusion 1.x has otherwise goes into its metadata.
package struct CheckpointWriter {
  private let model: DiffusersModel

  package init(_ model: DiffusersModel) { self.model = model }

  private struct Entry {
    var name: String
    var shape: [Int]
    var tensor: PartWeights.Tensor
  }

  /// Writes the file, all or nothing.
  ///
  /// - Parameter type: the type of all tensors; nil keeps the type of each.
  package func write(to url: URL, as type: ElementType?, metadata extra: [String: String]) throws {
    guard try model.vae().config.tiny == nil else {
      throw FormatError(
        model.url.path, nil,
        "has a tiny autoencoder, for which a model in one file has no names; keep the folder")
    }
    let clip = try CLIPTokenizer(folder: try BundledFiles.folder("clip"))
    guard try model.tokenizer().hasVocabulary(of: clip) else {
      throw FormatError(
        model.url.path, nil,
        "has a vocabulary of its own, for which a model in one file has no place; keep the folder")
    }
    let entries = try DiffusersModel.Component.allCases.flatMap(entries)
    try SafetensorsFile.write(
      entries.map { ($0.name, type ?? $0.tensor.stored.dtype, $0.shape) },
      metadata: extra.merging(try metadata(entries)) { own, _ in own }, to: url
    ) { try entries[$0].tensor.bytes(as: type) }
  }

  private func entries(_ component: DiffusersModel.Component) throws -> [Entry] {
    let (prefix, names): (String, LDMNames) =
      switch component {
      case .unet: (CheckpointShapes.unet, LDMNames(try model.unet().config))
      case .vae: (CheckpointShapes.vae, LDMNames(try model.vae().config))
      case .textEncoder: (CheckpointShapes.text, .textEncoder(module: "text_model."))
      }
    return try model.weights(component).all.map { tensor in
      guard let name = names.stored(tensor.name) else {
        throw FormatError(
          model.url.path, "tensor \"\(tensor.name)\"", "has no name in one-file models")
      }
      // The autoencoder's attention was written with 1×1 convolutions.
      let isPointwise = component == .vae && tensor.shape.count == 2
      return Entry(
        name: prefix + name, shape: isPointwise ? tensor.shape + [1, 1] : tensor.shape,
        tensor: tensor)
    }
  }

  /// The configurations that cannot be read off the tensors again.
  private func metadata(_ entries: [Entry]) throws -> [String: String] {
    let shapes = CheckpointShapes(
      Dictionary(entries.map { ($0.name, $0.shape) }, uniquingKeysWith: { first, _ in first }),
      path: model.url.path)
    var members: [JSONValue.Member] = []
    func keep(_ component: DiffusersModel.Component, unless isTold: Bool) throws {
      if isTold { return }
      members.append(
        .init(component.rawValue, .object(try model.layout.config(component).members)))
    }
    func told<Config: Hashable>(
      _ own: Config, _ read: (ConfigReader) throws -> Config,
      _ members: () throws -> [JSONValue.Member], _ plain: (inout Config) -> Void
    ) -> Bool {
      // What cannot be read off at all is not told.
      let result = Result {
        try read(ConfigReader(JSONObject(path: model.url.path, members: try members())))
      }
      guard case .success(var found) = result else { return false }
      var own = own
      plain(&own)
      plain(&found)
      return own == found
    }
    try keep(
      .unet,
      unless: told(try model.unet().config, { try UNetConfig($0) }, { try shapes.unetConfig() }) {
        $0.ignoredKeys = []
      })
    try keep(
      .vae,
      unless: told(
        try model.vae().config, { try VAEConfig($0) },
        { try shapes.vaeConfig(CheckpointShapes.vae) }) { ($0.ignoredKeys, $0.sampleSize) = ([], nil) })
    try keep(
      .textEncoder,
      unless: told(
        try model.textEncoder().config, { try TextEncoderConfig($0) },
        { try shapes.textEncoderConfig() }) { $0.ignoredKeys = [] })
    if let scheduler = try model.layout.schedulerConfig() {
      members.append(.init("scheduler", .object(scheduler.members)))
    }
    if let defaults = try model.layout.defaults() {
      members.append(.init("defaults", .object(defaults.members)))
    }
    if let words = try model.layout.conceptWords() {
      members.append(.init("concepts", .object(words.members)))
    }
    if let words = try model.layout.learntWords() {
      members.append(.init("words", .object(words.members)))
    }
    let velocity = try model.layout.schedulerConfig()?["prediction_type"]?.string == "v_prediction"
    return [
      CheckpointMetadata.key: "\(JSONValue.object(members))",
      "modelspec.sai_model_spec": "1.0.1", "modelspec.architecture": "stable-diffusion-v1",
      "modelspec.prediction_type": velocity ? "v" : "epsilon",
    ]
  }
}
