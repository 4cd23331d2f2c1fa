/// The names that latent-diffusion checkpoints, and all one-file models after them, give to tensors.
///
/// Source: CompVis `openaimodel.py` (U-Net: `input_blocks`, `middle_block`, `output_blocks`) and
/// `model.py` (autoencoder: `down`, `mid`, `up`); diffusers'
/// `convert_original_stable_diffusion_to_diffusers.py` pairs them.
package enum LDMNames: Hashable, Sendable {
  /// A U-Net with this many residual blocks per level, finest first, and levels with attention.
  case unet(layersPerBlock: [Int], attention: [Bool])
  /// An autoencoder with this many levels.
  case vae(levels: Int)
  /// CLIP's text encoder, with the name of its module or without.
  case textEncoder(module: String)

  /// The name in a checkpoint, without the prefix of the part; nil for a name of another network.
  package func stored(_ name: String) -> String? {
    let path = name.split(separator: ".").map(String.init)
    switch self {
    case .unet(let layers, let attention): return Self.unet(path, layers, attention)
    case .vae(let levels): return Self.vae(path, levels)
    case .textEncoder(let module):
      let own = "text_model."
      return name.hasPrefix(own) ? module + name.dropFirst(own.count) : name
    }
  }

  // MARK: U-Net

  private static let unetEnds = [
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
  ]

  private static let unetResidual = [
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
  ]

  private static func unet(
    _ path: [String], _ layers: [Int], _ attention: [Bool]
  ) -> String? {
    guard let first = path.first, let last = path.last else { return nil }
    if let end = unetEnds[path.dropLast().joined(separator: ".")] { return "\(end).\(last)" }
    if first == "mid_block", path.count > 3, let index = Int(path[2]) {
      let rest = Array(path.dropFirst(3))
      switch path[1] {
      case "resnets": return residual(rest).map { "middle_block.\(index * 2).\($0)" }
      case "attentions": return "middle_block.1.\(rest.joined(separator: "."))"
      default: return nil
      }
    }
    guard path.count > 4, let level = Int(path[1]), let index = Int(path[3]),
      layers.indices.contains(level)
    else { return nil }
    let rest = Array(path.dropFirst(4))
    switch first {
    case "down_blocks":
      let block = 1 + layers[..<level].reduce(0) { $0 + $1 + 1 } + index
      switch path[2] {
      case "resnets": return residual(rest).map { "input_blocks.\(block).0.\($0)" }
      case "attentions": return "input_blocks.\(block).1.\(rest.joined(separator: "."))"
      case "downsamplers" where rest.first == "conv":
        return "input_blocks.\(block + layers[level]).0.op.\(last)"
      default: return nil
      }
    case "up_blocks":
      // Upwards the levels come coarsest first, each with one more residual block.
      let upwards = Array(layers.reversed())
      let block = upwards[..<level].reduce(0) { $0 + $1 + 1 } + index
      switch path[2] {
      case "resnets": return residual(rest).map { "output_blocks.\(block).0.\($0)" }
      case "attentions": return "output_blocks.\(block).1.\(rest.joined(separator: "."))"
      case "upsamplers" where rest.first == "conv":
        let place = attention[layers.count - 1 - level] ? 2 : 1
        return "output_blocks.\(block + upwards[level]).\(place).conv.\(last)"
      default: return nil
      }
    default: return nil
    }
  }

  private static func residual(_ rest: [String]) -> String? {
    guard rest.count == 2, let layer = unetResidual[rest[0]] else { return nil }
    return "\(layer).\(rest[1])"
  }

  // MARK: Autoencoder

  private static let vaeAttention = [
    "group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out": "proj_out",
  ]

  private static func vae(_ path: [String], _ levels: Int) -> String? {
    guard let first = path.first, let last = path.last else { return nil }
    if first == "quant_conv" || first == "post_quant_conv" { return path.joined(separator: ".") }
    guard first == "encoder" || first == "decoder", path.count > 2 else { return nil }
    switch path[1] {
    case "conv_in", "conv_out": return path.joined(separator: ".")
    case "conv_norm_out": return "\(first).norm_out.\(last)"
    case "mid_block":
      guard path.count > 4, let index = Int(path[3]) else { return nil }
      if path[2] == "resnets" {
        return shortcut(path[4...]).map { "\(first).mid.block_\(index + 1).\($0)" }
      }
      return vaeAttention[path[4]].map { "\(first).mid.attn_1.\($0).\(last)" }
    case "down_blocks", "up_blocks":
      guard path.count > 5, let number = Int(path[2]), let index = Int(path[4]) else { return nil }
      let isDown = path[1] == "down_blocks"
      let level = isDown ? "\(first).down.\(number)" : "\(first).up.\(levels - 1 - number)"
      switch path[3] {
      case "resnets": return shortcut(path[5...]).map { "\(level).block.\(index).\($0)" }
      case "downsamplers": return "\(level).downsample.conv.\(last)"
      case "upsamplers": return "\(level).upsample.conv.\(last)"
      default: return nil
      }
    default: return nil
    }
  }

  private static func shortcut(_ rest: ArraySlice<String>) -> String? {
    guard let layer = rest.first, let last = rest.last, rest.count == 2 else { return nil }
    return layer == "conv_shortcut" ? "nin_shortcut.\(last)" : "\(layer).\(last)"
  }
}
