import Foundation
import MoscFormats

/// A model in one file, as the first release and most models since have it: U-Net, autoencoder and
/// text encoder under the names of the latent-diffusion code.
///
/// What the file does not say is as in Stable Diffusion 1.x: heads, scheduler and tokenizer. A file
/// that `mosc convert` wrote says it in its metadata.
struct CheckpointLayout: ModelLayout {
  let url: URL
  let source: any WeightSource
  let metadata: CheckpointMetadata
  private let shapes: CheckpointShapes

  /// Opens a file and makes sure that it is a checkpoint of a supported family.
  init(_ url: URL) throws {
    self.url = url
    source = try WeightFile.open(url)
    metadata = try CheckpointMetadata(source, path: url.path)
    shapes = CheckpointShapes(source)
    if let refusal = TensorFamily(source)?.refusal {
      throw FormatError(url.path, nil, refusal)
    }
    guard shapes[CheckpointShapes.unet + "input_blocks.0.0.weight"] != nil else {
      throw FormatError(
        url.path, nil,
        "holds no U-Net: expected a model of Stable Diffusion 1.x in one file, with tensors such as "
          + "model.diffusion_model.input_blocks.0.0.weight")
    }
  }

  func config(_ component: DiffusersModel.Component) throws -> JSONObject {
    if let members = metadata.configs[component.rawValue] {
      return JSONObject(path: "\(url.path), metadata", members: members)
    }
    let members: [JSONValue.Member]
    switch component {
    case .unet: members = try shapes.unetConfig()
    case .vae: members = try shapes.vaeConfig(CheckpointShapes.vae)
    case .textEncoder: members = try shapes.textEncoderConfig()
    }
    return JSONObject(path: url.path, members: members)
  }

  func files(_ component: DiffusersModel.Component) throws -> ComponentFiles {
    let (prefix, names) = try names(component)
    return ComponentFiles(
      component: component.rawValue, files: [source], spellings: [.ldm(names, prefix: prefix)],
      prefixes: component == .vae ? LDMNames.vaePrefixes(prefix) : [prefix])
  }

  private func names(
    _ component: DiffusersModel.Component
  ) throws -> (prefix: String, names: LDMNames) {
    let reader = ConfigReader(try config(component))
    switch component {
    case .unet: return (CheckpointShapes.unet, LDMNames(try UNetConfig(reader)))
    case .vae: return (CheckpointShapes.vae, LDMNames(try VAEConfig(reader)))
    case .textEncoder:
      // The first checkpoints were saved before transformers had a module of that name.
      return (CheckpointShapes.text, .textEncoder(module: shapes.textModule))
    }
  }

  func schedulerConfig() throws -> JSONObject? {
    if let members = metadata.configs["scheduler"] {
      return JSONObject(path: "\(url.path), metadata", members: members)
    }
    let predictsVelocity =
      metadata.predictsVelocity || source.names.contains(where: { $0 == "v_pred" })
    let hasZeroSignal = source.names.contains("ztsnr")
    return JSONObject(
      path: url.path,
      members: [
        .init("_class_name", .string("PNDMScheduler")),
        .init("beta_start", .double(0.00085)), .init("beta_end", .double(0.012)),
        .init("beta_schedule", .string("scaled_linear")),
        .init("num_train_timesteps", .int(1000)), .init("set_alpha_to_one", .bool(false)),
        .init("skip_prk_steps", .bool(true)), .init("steps_offset", .int(1)),
        .init("clip_sample", .bool(false)),
        .init("prediction_type", .string(predictsVelocity ? "v_prediction" : "epsilon")),
        .init("rescale_betas_zero_snr", .bool(hasZeroSignal)),
      ])
  }

  func tokenizerFolder() throws -> URL { try BundledFiles.folder("clip") }

  func defaults() throws -> JSONObject? {
    metadata.configs["defaults"].map { JSONObject(path: "\(url.path), metadata", members: $0) }
  }

  func conceptWords() throws -> JSONObject? {
    metadata.configs["concepts"].map { JSONObject(path: "\(url.path), metadata", members: $0) }
  }

  func learntWords() throws -> JSONObject? {
    metadata.configs["words"].map { JSONObject(path: "\(url.path), metadata", members: $0) }
  }
}

/// An autoencoder in one file, under the names of diffusers or of the latent-diffusion code.
struct VAELayout: ModelLayout {
  let url: URL
  private let source: any WeightSource
  private let shapes: CheckpointShapes
  private let prefix: String

  init(_ url: URL) throws {
    self.url = url
    source = try WeightFile.open(url)
    shapes = CheckpointShapes(source)
    prefix = shapes[CheckpointShapes.vae + "decoder.conv_in.weight"] == nil ? "" : CheckpointShapes.vae
    guard shapes[prefix + "decoder.conv_in.weight"] != nil else {
      throw FormatError(
        url.path, nil,
        TensorFamily(source).map { "is \($0.name), expected an autoencoder (VAE)" }
          ?? "holds no autoencoder: expected tensors such as decoder.conv_in.weight")
    }
  }

  private var isDiffusers: Bool { shapes[prefix + "decoder.conv_norm_out.weight"] != nil }

  func config(_ component: DiffusersModel.Component) throws -> JSONObject {
    if let members = try CheckpointMetadata(source, path: url.path).configs["vae"] {
      return JSONObject(path: "\(url.path), metadata", members: members)
    }
    return JSONObject(
      path: url.path,
      members: try isDiffusers ? shapes.diffusersVAEConfig() : shapes.vaeConfig(prefix))
  }

  func files(_ component: DiffusersModel.Component) throws -> ComponentFiles {
    let names = LDMNames(try VAEConfig(ConfigReader(try config(.vae))))
    return ComponentFiles(
      component: component.rawValue, files: [source],
      spellings: isDiffusers ? [] : [.ldm(names, prefix: prefix)],
      prefixes: LDMNames.vaePrefixes(prefix))
  }

  func schedulerConfig() throws -> JSONObject? { nil }
  func defaults() throws -> JSONObject? { nil }
  func conceptWords() throws -> JSONObject? { nil }
  func learntWords() throws -> JSONObject? { nil }
  func tokenizerFolder() throws -> URL {
    throw FormatError(url.path, nil, "is an autoencoder and has no tokenizer")
  }
}

extension LDMNames {
  /// The names of a U-Net.
  init(_ config: UNetConfig) {
    self = .unet(
      layersPerBlock: config.layersPerBlock, attention: config.downBlocks.map { $0 == .attention })
  }

  /// What an autoencoder's own tensors begin with; files of training hold its loss network too.
  static func vaePrefixes(_ prefix: String) -> [String] {
    ["encoder.", "decoder.", "quant_conv.", "post_quant_conv."].map { prefix + $0 }
  }

  /// The names of an autoencoder.
  init(_ config: VAEConfig) { self = .vae(levels: config.widths.count) }
}
