import MoscFormats
import MoscIR

/// The architecture of an `AutoencoderKL`, or of an `AutoencoderTiny`, from its `config.json`.
///
/// Absent keys have the defaults of the diffusers constructor. Source: diffusers `AutoencoderKL`.
package struct VAEConfig: Hashable, Sendable {
  package var inChannels = 3
  package var outChannels = 3
  package var latentChannels = 4
  /// Channels per level, finest first.
  package var widths: [Int]
  /// Residual blocks per level of the encoder; the decoder has one more.
  package var layersPerBlock = 1
  package var groups = 32
  package var hasMidAttention = true
  package var hasQuantConv = true
  package var hasPostQuantConv = true
  /// Latents of the denoiser are encoder means times this factor.
  package var scalingFactor = 0.18215
  package var sampleSize: Int?
  /// The sizes of a tiny autoencoder; nil for one with moments.
  package var tiny: TinyAutoencoderConfig?
  /// Keys of the file that were not recognised.
  package var ignoredKeys: [String] = []

  /// The eps of every group norm, fixed in the reference.
  package static let eps = 1e-6

  /// Reads and checks a config.
  package init(_ reader: ConfigReader) throws(Diagnostic) {
    var reader = reader
    if reader.value("_class_name") == .string(TinyAutoencoderConfig.className) {
      let tiny = try TinyAutoencoderConfig(&reader)
      widths = tiny.decoderWidths.reversed()
      self.tiny = tiny
      try readTiny(&reader)
      return
    }
    try reader.expectClass("AutoencoderKL")
    widths = try reader.ints("block_out_channels")
    _ = try reader.strings(
      "down_block_types", count: widths.count, among: ["DownEncoderBlock2D": true])
    _ = try reader.strings("up_block_types", count: widths.count, among: ["UpDecoderBlock2D": true])
    layersPerBlock = try reader.int("layers_per_block", default: 1, atMost: 64)
    inChannels = try reader.int("in_channels", default: 3)
    outChannels = try reader.int("out_channels", default: 3)
    latentChannels = try reader.int("latent_channels", default: 4)
    groups = try reader.int("norm_num_groups", default: 32)
    hasMidAttention = try reader.bool("mid_block_add_attention", default: true)
    hasQuantConv = try reader.bool("use_quant_conv", default: true)
    hasPostQuantConv = try reader.bool("use_post_quant_conv", default: true)
    scalingFactor = try reader.double("scaling_factor", default: 0.18215)
    sampleSize = try reader.squareSize("sample_size")
    try reader.require("act_fn", .string("silu"), or: .string("swish"))
    try reader.require("double_z", .bool(true))
    try reader.require("shift_factor", .null, or: .int(0))
    try reader.require("latents_mean", .null)
    try reader.require("latents_std", .null)
    // Normalisation and softmax are in f32 whatever the weights are stored in.
    reader.accept("force_upcast")
    ignoredKeys = reader.unreadKeys
    for width in widths {
      try reader.check(
        width % groups == 0, "norm_num_groups", "\(groups)", "a divisor of the \(width) channels")
    }
    try reader.check(scalingFactor > 0, "scaling_factor", "\(scalingFactor)", "a positive number")
  }

  /// Reads what a tiny autoencoder shares with others.
  private mutating func readTiny(_ reader: inout ConfigReader) throws(Diagnostic) {
    (groups, hasMidAttention, hasQuantConv, hasPostQuantConv) = (1, false, false, false)
    inChannels = try reader.int("in_channels", default: 3)
    outChannels = try reader.int("out_channels", default: 3)
    latentChannels = try reader.int("latent_channels", default: 4)
    scalingFactor = try reader.double("scaling_factor", default: 1)
    try reader.require("shift_factor", .int(0), or: .null)
    reader.accept("force_upcast")
    ignoredKeys = reader.unreadKeys
    try reader.check(scalingFactor > 0, "scaling_factor", "\(scalingFactor)", "a positive number")
  }

  /// The ratio of image size to latent size, 2^(levels − 1).
  package var downsampling: Int { 1 << (widths.count - 1) }
}
