import MoscFormats
import MoscIR

/// The architecture of a `UNet2DConditionModel`, from its `config.json`.
///
/// Keys that would change the network in ways not built here must have the value that turns them
/// off. Absent keys have the defaults of the diffusers constructor. Source: diffusers
/// `UNet2DConditionModel`.
package struct UNetConfig: Hashable, Sendable {
  /// Whether the blocks of a level attend to the text.
  package enum Block: String, Hashable, Sendable {
    case plain
    case attention
  }

  package var inChannels = 4
  package var outChannels = 4
  /// Channels per level, finest first.
  package var widths: [Int]
  /// Block kinds of the levels on the way down, finest first.
  package var downBlocks: [Block]
  /// Block kinds of the levels on the way up, coarsest first.
  package var upBlocks: [Block]
  package var hasMidBlock = true
  /// Residual blocks per level on the way down; one more on the way up.
  package var layersPerBlock: [Int]
  /// Transformer blocks per attention layer and level.
  package var transformerLayers: [Int]
  /// Attention heads per level (`attention_head_dim` holds the number of heads).
  package var heads: [Int]
  /// Width of the text states per level.
  package var contextWidths: [Int]
  package var usesLinearProjection = false
  package var groups = 32
  package var eps = 1e-5
  package var flipSinToCos = true
  package var frequencyShift = 0.0
  package var convInKernel = 3
  package var convOutKernel = 3
  /// The width of the embedding of guidance that a distilled model takes (`time_cond_proj_dim`); nil for
  /// others.
  package var guidanceWidth: Int?
  /// Height and width of the latents it was trained on.
  package var sampleSize: Int?
  /// Keys of the file that were not recognised.
  package var ignoredKeys: [String] = []

  /// Reads and checks a config.
  package init(_ reader: ConfigReader) throws(Diagnostic) {
    var reader = reader
    try reader.expectClass("UNet2DConditionModel")
    widths = try reader.ints("block_out_channels")
    let levels = widths.count
    downBlocks = try reader.strings(
      "down_block_types", count: levels,
      among: ["DownBlock2D": .plain, "CrossAttnDownBlock2D": .attention])
    upBlocks = try reader.strings(
      "up_block_types", count: levels,
      among: ["UpBlock2D": .plain, "CrossAttnUpBlock2D": .attention])
    layersPerBlock = try reader.intPerLevel("layers_per_block", levels, default: 2, atMost: 64)
    transformerLayers = try reader.intPerLevel(
      "transformer_layers_per_block", levels, default: 1, atMost: 64)
    heads = try reader.intPerLevel("attention_head_dim", levels, default: 8)
    contextWidths = try reader.intPerLevel("cross_attention_dim", levels, default: 1280)
    inChannels = try reader.int("in_channels", default: 4)
    outChannels = try reader.int("out_channels", default: 4)
    usesLinearProjection = try reader.bool("use_linear_projection", default: false)
    groups = try reader.int("norm_num_groups", default: 32)
    eps = try reader.double("norm_eps", default: 1e-5)
    flipSinToCos = try reader.bool("flip_sin_to_cos", default: true)
    frequencyShift = try reader.double("freq_shift", default: 0)
    convInKernel = try reader.int("conv_in_kernel", default: 3)
    convOutKernel = try reader.int("conv_out_kernel", default: 3)
    sampleSize = try reader.squareSize("sample_size")
    hasMidBlock = try reader.choice(
      "mid_block_type", [.string("UNetMidBlock2DCrossAttn"): true, .null: false],
      default: .string("UNetMidBlock2DCrossAttn"))
    if let width = reader.value("time_cond_proj_dim"), width != .null {
      guidanceWidth = try reader.int("time_cond_proj_dim", default: 256)
    }
    try Self.refuseVariants(&reader)
    // These change nothing here: softmax is in f32 anyway, dropout is for training.
    reader.accept(
      "upcast_attention", "dropout", "addition_embed_type_num_heads",
      "reverse_transformer_layers_per_block")
    ignoredKeys = reader.unreadKeys
    try check(reader)
  }

  /// Refuses every key whose value selects a part that is not built here.
  private static func refuseVariants(_ reader: inout ConfigReader) throws(Diagnostic) {
    try reader.require("act_fn", .string("silu"), or: .string("swish"))
    try reader.require("resnet_time_scale_shift", .string("default"))
    try reader.require("time_embedding_type", .string("positional"))
    try reader.require("attention_type", .string("default"))
    try reader.require("downsample_padding", .int(1))
    try reader.require("mid_block_scale_factor", .int(1))
    try reader.require("resnet_out_scale_factor", .int(1))
    for key in [
      "center_input_sample", "only_cross_attention", "dual_cross_attention",
      "resnet_skip_time_act", "class_embeddings_concat", "mid_block_only_cross_attention",
    ] {
      try reader.require(key, .bool(false), or: .null)
    }
    for key in [
      "num_attention_heads", "encoder_hid_dim", "encoder_hid_dim_type", "class_embed_type",
      "addition_embed_type", "addition_time_embed_dim", "num_class_embeds", "time_embedding_dim",
      "time_embedding_act_fn", "timestep_post_act",
      "projection_class_embeddings_input_dim", "cross_attention_norm",
    ] {
      try reader.require(key, .null)
    }
  }

  /// Refuses numbers that no network can have.
  private func check(_ reader: ConfigReader) throws(Diagnostic) {
    for (width, heads) in zip(widths, heads) {
      try reader.check(
        width % groups == 0, "norm_num_groups", "\(groups)", "a divisor of the \(width) channels")
      try reader.check(
        width % heads == 0, "attention_head_dim", "\(heads)",
        "a number of heads that divides \(width) channels")
    }
    for (key, kernel) in [("conv_in_kernel", convInKernel), ("conv_out_kernel", convOutKernel)] {
      try reader.check(kernel % 2 == 1, key, "\(kernel)", "an odd size")
    }
    let first = widths.first ?? 0
    try reader.check(first % 2 == 0, "block_out_channels", "\(first)", "an even first width")
    try reader.check(
      Set(contextWidths).count == 1, "cross_attention_dim", "\(contextWidths)",
      "one width for all levels")
  }

  /// The width of the time embedding.
  package var embeddingWidth: Int { 4 * (widths.first ?? 0) }

  /// The width of the text states.
  package var contextWidth: Int { contextWidths.first ?? 0 }

  /// The heights and widths of feature maps, largest first.
  package func resolutions(height: Int, width: Int) -> [(height: Int, width: Int)] {
    var result = [(height: height, width: width)]
    for _ in widths.dropFirst() {
      let last = result[result.count - 1]
      let next = (height: (last.height + 1) / 2, width: (last.width + 1) / 2)
      if next != last { result.append(next) }
    }
    return result
  }

  /// The heights and widths at which there is cross-attention, largest first.
  package func attentionResolutions(height: Int, width: Int) -> [(height: Int, width: Int)] {
    var result: [(height: Int, width: Int)] = []
    var (h, w) = (height, width)
    for level in widths.indices {
      let isUsed =
        downBlocks[level] == .attention || upBlocks[widths.count - 1 - level] == .attention
        || (hasMidBlock && level == widths.count - 1)
      if isUsed, result.last.map({ $0 != (h, w) }) ?? true { result.append((h, w)) }
      if level < widths.count - 1 { (h, w) = ((h + 1) / 2, (w + 1) / 2) }
    }
    return result
  }

  /// The number of cross-attention layers: the number of layer-wise prompts.
  package var crossAttentionLayers: Int {
    var count = hasMidBlock ? transformerLayers.last ?? 0 : 0
    for (level, block) in downBlocks.enumerated() where block == .attention {
      count += layersPerBlock[level] * transformerLayers[level]
    }
    for (index, block) in upBlocks.enumerated() where block == .attention {
      let level = widths.count - 1 - index
      count += (layersPerBlock[level] + 1) * transformerLayers[level]
    }
    return count
  }
}
