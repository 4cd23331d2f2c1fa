import MoscFormats
import MoscIR

/// The sizes of a tiny autoencoder: of its `config.json`, or found in the shapes of its tensors.
///
/// Source: diffusers `AutoencoderTiny`, whose defaults absent keys have.
package struct TinyAutoencoderConfig: Hashable, Sendable {
  /// Channels per level of the encoder, finest first; empty for a decoder alone.
  package var encoderWidths: [Int]
  /// Residual blocks per level of the encoder.
  package var encoderBlocks: [Int]
  /// Channels per level of the decoder, coarsest first.
  package var decoderWidths: [Int]
  /// Residual blocks per level of the decoder.
  package var decoderBlocks: [Int]

  package var hasEncoder: Bool { !encoderWidths.isEmpty }

  /// The class that configurations name.
  package static let className = "AutoencoderTiny"

  package init(
    encoderWidths: [Int], encoderBlocks: [Int], decoderWidths: [Int], decoderBlocks: [Int]
  ) {
    (self.encoderWidths, self.encoderBlocks) = (encoderWidths, encoderBlocks)
    (self.decoderWidths, self.decoderBlocks) = (decoderWidths, decoderBlocks)
  }

  /// Reads the keys that only a tiny autoencoder has.
  init(_ reader: inout ConfigReader) throws(Diagnostic) {
    func list(
      _ key: String, _ usual: [Int], atMost limit: Int, _ reader: inout ConfigReader
    ) throws(Diagnostic) -> [Int] {
      reader.value(key) == nil ? usual : try reader.ints(key, atMost: limit)
    }
    let wide = ConfigReader.largest
    let widths = [64, 64, 64, 64]
    // A file that holds the decoder alone says so with a null, as no class of diffusers does.
    let isWhole = reader.value("encoder_block_out_channels") != .null
    encoderWidths =
      isWhole ? try list("encoder_block_out_channels", widths, atMost: wide, &reader) : []
    encoderBlocks =
      isWhole ? try list("num_encoder_blocks", [1, 3, 3, 3], atMost: 64, &reader) : []
    decoderWidths = try list("decoder_block_out_channels", widths, atMost: wide, &reader)
    decoderBlocks = try list("num_decoder_blocks", [3, 3, 3, 1], atMost: 64, &reader)
    try reader.require("act_fn", .string("relu"))
    try reader.require("upsample_fn", .string("nearest"))
    try reader.require("upsampling_scaling_factor", .int(2))
    // These are for tools that keep latents as bytes, and for tiling of the class itself.
    reader.accept("latent_magnitude", "latent_shift", "block_out_channels", "num_encoder_blocks")
    for (name, widths, blocks) in [
      ("num_encoder_blocks", encoderWidths, encoderBlocks),
      ("num_decoder_blocks", decoderWidths, decoderBlocks),
    ] {
      try reader.check(
        widths.count == blocks.count, name, "\(blocks)", "\(widths.count) numbers, one per level")
    }
    try reader.check(
      !hasEncoder || encoderWidths.count == decoderWidths.count, "decoder_block_out_channels",
      "\(decoderWidths)", "\(encoderWidths.count) levels, as the encoder has")
  }

  /// The keys of a `config.json` for these sizes.
  package func members(latentChannels: Int, inChannels: Int, outChannels: Int) -> [JSONValue.Member] {
    func list(_ numbers: [Int]) -> JSONValue { .array(numbers.map { .int($0) }) }
    return [
      .init("_class_name", .string(Self.className)),
      .init("encoder_block_out_channels", hasEncoder ? list(encoderWidths) : .null),
      .init("num_encoder_blocks", hasEncoder ? list(encoderBlocks) : .null),
      .init("decoder_block_out_channels", list(decoderWidths)),
      .init("num_decoder_blocks", list(decoderBlocks)),
      .init("latent_channels", .int(latentChannels)), .init("in_channels", .int(inChannels)),
      .init("out_channels", .int(outChannels)), .init("scaling_factor", .double(1)),
    ]
  }
}
