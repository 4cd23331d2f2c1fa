/// Names what a file is that holds no adapter for this kind of model, so that a refusal can say it.
enum ForeignAdapter {
  typealias Shapes = [(name: String, shape: [Int])]

  /// The one other family whose models are drawn with, too.
  static let second = "Stable Diffusion 2.x"
  private static let xl = "Stable Diffusion XL"

  /// The model family that adapters of the file are for, when it is not Stable Diffusion 1.x.
  static func base(_ tensors: Shapes, _ metadata: [String: String]) -> String? {
    func any(_ test: (String) -> Bool) -> Bool { tensors.contains { test($0.name) } }
    for (starts, base) in transformers where any({ name in starts.contains(where: name.hasPrefix) }) {
      return base
    }
    let width = tensors.first { name, shape in
      shape.count == 2 && name.contains("attn2") && (name.contains("to_k.") || name.contains("to_k_lora."))
        && (name.contains("lora_down") || name.contains("lora_A") || name.contains(".down."))
    }?.shape[1]
    let marks = ["transformer_blocks_1_attn", "transformer_blocks.1.attn"]
    let isDeep = any { name in marks.contains { name.contains($0) } }
    let hasTwo = any { $0.hasPrefix("lora_te2_") || $0.hasPrefix("text_encoder_2.") }
    if hasTwo || isDeep || width == 2048 {
      return xl
    }
    if width == 1024 { return second }
    let said = metadata["ss_base_model_version"] ?? metadata["modelspec.architecture"] ?? ""
    let known = [
      ("sdxl", xl), ("stable-diffusion-xl", xl), ("sd_v2", second), ("stable-diffusion-v2", second),
      ("sd3", "Stable Diffusion 3"), ("flux", "FLUX"), ("lumina", "Lumina"), ("hunyuan", "Hunyuan"),
      ("wan", "Wan"),
    ]
    return known.first { said.lowercased().hasPrefix($0.0) }?.1
  }

  private static let transformers: [(starts: [String], base: String)] = [
    (
      [
        "lora_transformer_single_transformer_blocks", "transformer.single_transformer_blocks",
        "lora_unet_double_blocks", "lora_unet_single_blocks", "diffusion_model.double_blocks",
        "diffusion_model.single_blocks", "double_blocks.", "single_blocks.",
      ], "FLUX"
    ),
    (["lora_unet_joint_blocks", "diffusion_model.joint_blocks", "joint_blocks."], "Stable Diffusion 3"),
    (["lora_unet_blocks_", "diffusion_model.blocks.", "blocks."], "Wan or another video model"),
    (["lora_transformer_", "transformer.", "lycoris_transformer_"], "FLUX or Stable Diffusion 3"),
  ]

  /// The error for a file in which no layer and no word was found.
  static func error(
    _ path: String, _ given: Shapes, _ metadata: [String: String]
  ) -> FormatError {
    // Files of training wrap the model.
    let wrapper = "state_dict."
    let tensors = given.map { name, shape in
      (name: name.hasPrefix(wrapper) ? String(name.dropFirst(wrapper.count)) : name, shape: shape)
    }
    let names = Set(tensors.map(\.name))
    let start = "its \(tensors.count) tensors begin with '\(tensors.first?.name ?? "nothing")'"
    if names.isSubset(of: ["clip_l", "clip_g"]), names.contains("clip_g") {
      return FormatError(
        path, nil, "is an embedding (textual inversion) for Stable Diffusion XL, which is not supported")
    }
    let shapes = Dictionary(tensors, uniquingKeysWith: { first, _ in first })
    // The names of a whole model may be those that adapters for it begin with.
    let isAdapter = names.contains { name in
      ["lora", "lokr_", "hada_", "oft_", ".diff", ".alpha"].contains { name.contains($0) }
    }
    if let base = base(tensors, metadata),
      isAdapter || TensorFamily(tensors.map(\.name), shape: { shapes[$0] })?.refusal == nil
    {
      return FormatError(
        path, nil,
        "is an adapter for \(base); only adapters for Stable Diffusion 1.x and 2.x are supported (\(start))")
    }
    switch TensorFamily(tensors.map(\.name), shape: { shapes[$0] }) {
    // Such a file would have been read, had it had names that are known here.
    case nil, .lora, .concept, .textualInversion: break
    case .t2iAdapter: return FormatError(path, nil, "is a T2I-Adapter; give it with --t2i-adapter")
    case .vae?: return FormatError(path, nil, "is \(TensorFamily.vae.name), no adapter of layers; give it with --vae")
    case .controlNet?:
      return FormatError(path, nil, "is \(TensorFamily.controlNet.name); give it with --control and --control-image")
    case .stableDiffusion1?:
      return FormatError(path, nil, "is \(TensorFamily.stableDiffusion1.name), no adapter of layers; give it with -m")
    case let kind?: return FormatError(path, nil, "is \(kind.name), no adapter of layers (\(start))")
    }
    return FormatError(path, nil, "holds no adapter and no concept word; \(start)")
  }
}
