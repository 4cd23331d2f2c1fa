import Foundation

/// What the name of a tensor in an adapter file says.
///
/// Families: Mix-of-Show (`params.unet.….to_q.lora_down.weight`, older `….to_q_lora.down.weight`),
/// kohya (`lora_unet_…_to_q.lora_down.weight`, `.alpha`), PEFT (`unet.….to_q.lora_A.weight`),
/// diffusers (`….to_q.lora.down.weight`, `….lora_linear_layer.down.weight`,
/// `….processor.to_q_lora.down.weight`), and this program's `mosc.edlora.<word>`.
enum AdapterKey {
  enum Role: Hashable {
    /// `isDirect` where the multiplier of the family is alpha itself, not alpha / rank.
    case down(isDirect: Bool)
    case up
    case alpha
  }

  case layer(AdapterFile.Network, String, Role)
  case word(String)
  /// A single vector for programs that know no layers.
  case fallbackWord(String)
  case unsupported(String)

  private static let words = ["params.new_concept_embedding.", "mosc.edlora."]
  private static let networks: [(prefix: String, network: AdapterFile.Network, isDirect: Bool)] = [
    ("params.unet.", .unet, true), ("params.text_encoder.", .textEncoder, true),
    ("base_model.model.unet.", .unet, false),
    ("lora_unet_", .unet, false), ("lora_te1_", .textEncoder, false),
    ("lora_te_", .textEncoder, false), ("unet.", .unet, false),
    ("text_encoder.", .textEncoder, false),
  ]
  private static let downs = [
    ".lora_down.weight", "_lora.down.weight", ".lora_A.weight", ".lora_A.default.weight",
    ".lora.down.weight", ".lora_linear_layer.down.weight",
  ]
  private static let ups = [
    ".lora_up.weight", "_lora.up.weight", ".lora_B.weight", ".lora_B.default.weight",
    ".lora.up.weight", ".lora_linear_layer.up.weight",
  ]
  private static let unsupportedKinds = [
    ("hada_", "LoHa is not supported"), ("lokr_", "LoKr is not supported"),
    ("lora_mid", "LoCon with a middle tensor is not supported"),
    ("dora_scale", "DoRA is not supported"), ("oft_", "OFT is not supported"),
  ]

  init(_ name: String) {
    for prefix in Self.words where name.hasPrefix(prefix) && name.count > prefix.count {
      self = .word(String(name.dropFirst(prefix.count)))
      return
    }
    if name.hasPrefix("bundle_emb."), let end = name.range(of: ".string_to_param.") {
      let start = name.index(name.startIndex, offsetBy: "bundle_emb.".count)
      self = .fallbackWord(String(name[start..<end.lowerBound]))
      return
    }
    for (mark, reason) in Self.unsupportedKinds where name.contains(mark) {
      self = .unsupported(reason)
      return
    }
    guard let family = Self.networks.first(where: { name.hasPrefix($0.prefix) }) else {
      self = .unsupported("its name is of no known family")
      return
    }
    let rest = name.dropFirst(family.prefix.count)
    guard let (stem, role) = Self.role(rest, family.isDirect) else {
      self = .unsupported("its name ends like no part of an adapter")
      return
    }
    var key = stem.replacing(".processor.", with: ".").replacing(".", with: "_")
    // The old attention processors left out the index within the output's sequence.
    if key.hasSuffix("_to_out") { key += "_0" }
    self = .layer(family.network, key, role)
  }

  private static func role(_ name: Substring, _ isDirect: Bool) -> (String, Role)? {
    let choices: [([String], Role)] = [
      (downs, .down(isDirect: isDirect)), (ups, .up), ([".alpha"], .alpha),
    ]
    for (suffixes, role) in choices {
      for suffix in suffixes where name.hasSuffix(suffix) && name.count > suffix.count {
        return (String(name.dropLast(suffix.count)), role)
      }
    }
    return nil
  }
}
