/// Names of layers as the original code of Stable Diffusion has them, which ComfyUI and single files keep, as
/// diffusers names them: `input_blocks_1_1_proj_in` is `down_blocks_0_attentions_0_proj_in`.
///
/// Blocks are counted in one row there: each level of the way down has two residual blocks and a halving, each
/// of the way up three residual blocks. Source: `unet_2d_condition` conversion of diffusers.
enum LDMNames {
  private static let resnet = [
    ("in_layers_0", "norm1"), ("in_layers_2", "conv1"), ("emb_layers_1", "time_emb_proj"),
    ("out_layers_0", "norm2"), ("out_layers_3", "conv2"), ("skip_connection", "conv_shortcut"),
  ]
  private static let single = [
    ("input_blocks_0_0", "conv_in"), ("time_embed_0", "time_embedding_linear_1"),
    ("time_embed_2", "time_embedding_linear_2"), ("out_0", "conv_norm_out"), ("out_2", "conv_out"),
  ]
  private static let middle = [
    ("middle_block_0_", "mid_block_resnets_0_"), ("middle_block_1_", "mid_block_attentions_0_"),
    ("middle_block_2_", "mid_block_resnets_1_"),
  ]

  /// The key of a layer of the U-Net by diffusers' names; nil for a key that is no other name.
  static func key(_ key: String) -> String? {
    if let found = single.first(where: { $0.0 == key }) { return found.1 }
    for (old, new) in middle where key.hasPrefix(old) {
      return new + inner(key.dropFirst(old.count), isResnet: new.contains("resnets"))
    }
    let parts = key.split(separator: "_", maxSplits: 4)
    guard parts.count == 5, parts[1] == "blocks", let block = Int(parts[2]), let part = Int(parts[3]),
      0...99 ~= block
    else { return nil }
    switch parts[0] {
    case "input":
      let (level, place) = (block - 1).quotientAndRemainder(dividingBy: 3)
      if block == 0 { return nil }
      if place == 2 { return parts[4] == "op" ? "down_blocks_\(level)_downsamplers_0_conv" : nil }
      let kind = part == 0 ? "resnets" : "attentions"
      return "down_blocks_\(level)_\(kind)_\(place)_" + inner(parts[4], isResnet: part == 0)
    case "output":
      let (level, place) = block.quotientAndRemainder(dividingBy: 3)
      if parts[4] == "conv" { return "up_blocks_\(level)_upsamplers_0_conv" }
      let kind = part == 0 ? "resnets" : "attentions"
      return "up_blocks_\(level)_\(kind)_\(place)_" + inner(parts[4], isResnet: part == 0)
    default: return nil
    }
  }

  private static func inner(_ name: Substring, isResnet: Bool) -> String {
    isResnet ? resnet.first { $0.0 == name }?.1 ?? String(name) : String(name)
  }
}
