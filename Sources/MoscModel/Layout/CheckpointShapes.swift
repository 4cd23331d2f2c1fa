import Foundation
import MoscFormats

/// The shapes of a checkpoint's tensors, from which configurations are read off.
///
/// Numbers of attention heads leave no trace in shapes; they are those of Stable Diffusion 1.x: 8 in
/// every layer of the U-Net, one for each 64 channels of the text encoder.
struct CheckpointShapes {
  static let unet = "model.diffusion_model."
  static let vae = "first_stage_model."
  static let text = "cond_stage_model.transformer."
  private static let unetHeads = 8
  private static let textHeadWidth = 64

  private let shapes: [String: [Int]]
  let path: String

  init(_ source: any WeightSource) {
    path = source.place
    shapes = Dictionary(
      source.names.compactMap { name in source.weight(name).map { (name, $0.shape) } },
      uniquingKeysWith: { first, _ in first })
  }

  init(_ shapes: [String: [Int]], path: String) { (self.shapes, self.path) = (shapes, path) }

  subscript(name: String) -> [Int]? { shapes[name] }

  /// What the text encoder's names begin with: `text_model.`, or nothing in the first checkpoints.
  var textModule: String {
    shapes[Self.text + "text_model.embeddings.token_embedding.weight"] == nil ? "" : "text_model."
  }

  private func extent(_ name: String, _ axis: Int, _ part: String) throws(FormatError) -> Int {
    guard let shape = shapes[name], shape.indices.contains(axis) else {
      throw FormatError(
        path, "tensor \"\(name)\"", "is missing, so the file holds no complete \(part)")
    }
    return shape[axis]
  }

  /// How many of `name(0)`, `name(1)`, … there are.
  private func count(_ name: (Int) -> String) -> Int {
    var count = 0
    while shapes[name(count)] != nil { count += 1 }
    return count
  }

  private static func list(_ numbers: [Int]) -> JSONValue { .array(numbers.map { .int($0) }) }

  // MARK: U-Net

  /// The `config.json` of the U-Net.
  func unetConfig() throws(FormatError) -> [JSONValue.Member] {
    let part = "U-Net"
    var levels = [(width: 0, blocks: 0, attends: false, depth: 1)]
    var number = 1
    while true {
      let block = "\(Self.unet)input_blocks.\(number)."
      if let residual = shapes[block + "0.in_layers.2.weight"] {
        levels[levels.count - 1].width = residual.first ?? 0
        levels[levels.count - 1].blocks += 1
        if shapes[block + "1.norm.weight"] != nil {
          levels[levels.count - 1].attends = true
          levels[levels.count - 1].depth = max(
            1, count { "\(block)1.transformer_blocks.\($0).norm1.weight" })
        }
      } else if shapes[block + "0.op.weight"] != nil {
        levels.append((0, 0, false, 1))
      } else {
        break
      }
      number += 1
    }
    guard levels.allSatisfy({ $0.blocks > 0 && $0.width > 0 }) else {
      throw FormatError(path, nil, "holds no complete \(part): a level has no residual block")
    }
    let context = shapes.first {
      $0.key.hasPrefix(Self.unet) && $0.key.hasSuffix("transformer_blocks.0.attn2.to_k.weight")
    }
    guard let context, context.value.count == 2 else {
      throw FormatError(path, nil, "holds a U-Net without cross-attention, which takes no prompt")
    }
    let usesLinear = shapes.contains {
      $0.key.hasPrefix(Self.unet) && $0.key.hasSuffix(".proj_in.weight") && $0.value.count == 2
    }
    let down = levels.map { $0.attends ? "CrossAttnDownBlock2D" : "DownBlock2D" }
    let up = levels.reversed().map { $0.attends ? "CrossAttnUpBlock2D" : "UpBlock2D" }
    return [
      .init("_class_name", .string("UNet2DConditionModel")),
      .init("block_out_channels", Self.list(levels.map(\.width))),
      .init("down_block_types", .array(down.map { .string($0) })),
      .init("up_block_types", .array(up.map { .string($0) })),
      .init("layers_per_block", Self.list(levels.map(\.blocks))),
      .init("transformer_layers_per_block", Self.list(levels.map(\.depth))),
      .init("attention_head_dim", .int(Self.unetHeads)),
      .init("cross_attention_dim", .int(context.value[1])),
      .init("in_channels", .int(try extent(Self.unet + "input_blocks.0.0.weight", 1, part))),
      .init("out_channels", .int(try extent(Self.unet + "out.2.weight", 0, part))),
      .init("use_linear_projection", .bool(usesLinear)),
      .init("sample_size", .int(64)),
    ]
  }

  // MARK: Autoencoder

  /// The `config.json` of an autoencoder in the names of the latent-diffusion code.
  func vaeConfig(_ prefix: String) throws(FormatError) -> [JSONValue.Member] {
    try vaeConfig(
      prefix, levels: count { "\(prefix)encoder.down.\($0).block.0.conv1.weight" },
      width: { "\(prefix)encoder.down.\($0).block.0.conv1.weight" },
      block: { "\(prefix)encoder.down.0.block.\($0).conv1.weight" })
  }

  /// The `config.json` of an autoencoder in diffusers' names.
  func diffusersVAEConfig() throws(FormatError) -> [JSONValue.Member] {
    try vaeConfig(
      "", levels: count { "encoder.down_blocks.\($0).resnets.0.conv1.weight" },
      width: { "encoder.down_blocks.\($0).resnets.0.conv1.weight" },
      block: { "encoder.down_blocks.0.resnets.\($0).conv1.weight" })
  }

  private func vaeConfig(
    _ prefix: String, levels: Int, width: (Int) -> String, block: (Int) -> String
  ) throws(FormatError) -> [JSONValue.Member] {
    let part = "autoencoder (VAE)"
    guard levels > 0 else {
      throw FormatError(
        path, nil, "holds no \(part); give one with --vae FILE")
    }
    var widths: [Int] = []
    for level in 0..<levels { widths.append(try extent(width(level), 0, part)) }
    func repeated(_ name: String) -> JSONValue {
      .array([JSONValue](repeating: .string(name), count: levels))
    }
    return [
      .init("_class_name", .string("AutoencoderKL")),
      .init("block_out_channels", Self.list(widths)),
      .init("down_block_types", repeated("DownEncoderBlock2D")),
      .init("up_block_types", repeated("UpDecoderBlock2D")),
      .init("layers_per_block", .int(count(block))),
      .init("in_channels", .int(try extent(prefix + "encoder.conv_in.weight", 1, part))),
      .init("out_channels", .int(try extent(prefix + "decoder.conv_out.weight", 0, part))),
      .init("latent_channels", .int(try extent(prefix + "decoder.conv_in.weight", 1, part))),
      .init("use_quant_conv", .bool(shapes[prefix + "quant_conv.weight"] != nil)),
      .init("use_post_quant_conv", .bool(shapes[prefix + "post_quant_conv.weight"] != nil)),
      .init("sample_size", .int(512)),
    ]
  }

  // MARK: Text encoder

  /// The `config.json` of the text encoder.
  func textEncoderConfig() throws(FormatError) -> [JSONValue.Member] {
    let (part, prefix) = ("text encoder", Self.text + textModule)
    let width = try extent(prefix + "embeddings.token_embedding.weight", 1, part)
    return [
      .init("model_type", .string("clip_text_model")),
      .init("vocab_size", .int(try extent(prefix + "embeddings.token_embedding.weight", 0, part))),
      .init("hidden_size", .int(width)),
      .init("intermediate_size", .int(try extent(prefix + "encoder.layers.0.mlp.fc1.weight", 0, part))),
      .init(
        "num_hidden_layers", .int(count { "\(prefix)encoder.layers.\($0).layer_norm1.weight" })),
      .init("num_attention_heads", .int(max(1, width / Self.textHeadWidth))),
      .init(
        "max_position_embeddings",
        .int(try extent(prefix + "embeddings.position_embedding.weight", 0, part))),
      .init("hidden_act", .string("quick_gelu")),
    ]
  }
}
