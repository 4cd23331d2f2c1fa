import MoscFormats
import MoscIR

/// The architecture of a `CLIPTextModel`, from its `config.json`.
///
/// Absent keys have the defaults of the transformers class. Source: transformers `CLIPTextConfig`.
package struct TextEncoderConfig: Hashable, Sendable {
  /// The activation between the two layers of a feed-forward net.
  package enum Activation: String, Hashable, Sendable {
    case quickGelu = "quick_gelu"
    case gelu
  }

  package var vocabulary: Int
  package var width: Int
  package var innerWidth: Int
  package var layers: Int
  package var heads: Int
  /// The number of positions, 77 in CLIP.
  package var positions: Int
  package var activation: Activation
  package var eps: Double
  /// Keys of the file that were not recognised; transformers writes many that mean nothing here.
  package var ignoredKeys: [String] = []

  /// Reads and checks a config.
  package init(_ reader: ConfigReader) throws(Diagnostic) {
    var reader = reader
    try reader.require("model_type", .string("clip_text_model"), or: .null)
    vocabulary = try reader.int("vocab_size", default: 49408)
    width = try reader.int("hidden_size", default: 512)
    innerWidth = try reader.int("intermediate_size", default: 2048)
    layers = try reader.int("num_hidden_layers", default: 12, atMost: 1024)
    heads = try reader.int("num_attention_heads", default: 8)
    positions = try reader.int("max_position_embeddings", default: 77)
    eps = try reader.double("layer_norm_eps", default: 1e-5)
    activation = try reader.choice(
      "hidden_act", [.string("quick_gelu"): .quickGelu, .string("gelu"): .gelu],
      default: .string("quick_gelu"))
    reader.accept(
      "attention_dropout", "bos_token_id", "dropout", "dtype", "eos_token_id",
      "initializer_factor", "initializer_range", "pad_token_id", "projection_dim", "torch_dtype",
      "transformers_version", "architectures")
    ignoredKeys = reader.unreadKeys
    try reader.check(
      width % heads == 0, "num_attention_heads", "\(heads)", "a divisor of hidden_size \(width)")
  }
}
