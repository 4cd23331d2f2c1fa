import Foundation
import MoscFormats
import MoscModel
import MoscRandom

/// The folder of a ControlNet that pretraining makes, as diffusers saves it.
struct ControlFolder {
  let url: URL
  let savedType: SavedType
  /// The model that it steers.
  let base: DiffusersModel

  /// The folder of checkpoints and logs inside.
  var training: URL { url.appending(path: "training") }

  private static let weightsName = "diffusion_pytorch_model.safetensors"
  static let configurationName = "config.json"

  /// The network as it is now.
  func model() throws -> ControlNetModel { try ControlNetModel(url, for: base.unet().config) }

  /// Makes the folder, whole or not at all: the U-Net's way down, and what is new drawn at random.
  func create(_ random: RunSeed) throws {
    try makeWholeFolder(url) { partial in
      try ControlFolder(url: partial, savedType: savedType, base: base).fill(random)
    }
  }

  private func fill(_ random: RunSeed) throws {
    try makeFolder(training)
    let net = ControlNet(for: try base.unet().config, reduction: try base.vae().config.downsampling)
    try DiffusersFolder(url: url).write(try configuration(net), to: Self.configurationName)
    let known = try base.canonicalWeights(.unet)
    let shapes = try net.requests().shapes
    var weights: [String: HostArray] = [:]
    for (index, (name, shape)) in shapes.sorted(by: { $0.key < $1.key }).enumerated() {
      if let own = known[name] {
        weights[name] = own
      } else {
        weights[name] = random.filled(ControlNet.filling(name, shapes), shape, index, salt: 0)
      }
    }
    try write(weights)
  }

  /// Writes the weights.
  func write(_ weights: [String: HostArray]) throws {
    try savedType.write(weights, to: url.appending(path: Self.weightsName))
  }

  /// What diffusers wants to know of the network: what it shares with the U-Net, and what it reads.
  private func configuration(_ net: ControlNet) throws -> JSONValue {
    let shared: Set = [
      "_diffusers_version", "in_channels", "flip_sin_to_cos", "freq_shift", "down_block_types", "mid_block_type",
      "only_cross_attention", "block_out_channels", "layers_per_block", "downsample_padding",
      "mid_block_scale_factor", "act_fn", "norm_num_groups", "norm_eps", "cross_attention_dim",
      "transformer_layers_per_block", "attention_head_dim", "use_linear_projection", "upcast_attention",
      "resnet_time_scale_shift",
    ]
    let own: [JSONValue.Member] = [
      .init("_class_name", .string("ControlNetModel")),
      .init("conditioning_channels", .int(net.imageChannels)),
      .init("conditioning_embedding_out_channels", .array(net.hintWidths.map { .int($0) })),
      .init("controlnet_conditioning_channel_order", .string("rgb")),
      .init("global_pool_conditions", .bool(false)),
    ]
    return .object(own + (try base.layout.config(.unet).members.filter { shared.contains($0.key) }))
  }
}
