/// What the name of a tensor in an adapter file says.
///
/// Spellings of layers: Mix-of-Show (`params.unet.….to_q.lora_down.weight`, older
/// `….to_q_lora.down.weight`), kohya, LyCORIS, OneTrainer and ai-toolkit (`lora_unet_…_to_q`, `lora_te_…`,
/// `lycoris_…`), diffusers (`unet.….to_q`, `text_encoder.…`, older `….processor.to_q_lora`), PEFT
/// (`base_model.model.….to_q`), ComfyUI (`diffusion_model.input_blocks.….to_q`); and words: Mix-of-Show's, this program's `mosc.edlora.<word>`, and
/// `bundle_emb.<word>.…` of the web UI and OneTrainer.
enum AdapterName {
  /// A layer of the model as the file names it.
  struct Layer: Hashable, Sendable {
    var network: AdapterFile.Network
    /// The path with `_` in place of `.`, as the model has it.
    var key: String
    /// The path as the file spells it, without the network.
    var stem: String
    /// Whether the multiplier of the family is alpha itself, not alpha / rank.
    var isDirect = false

    var id: String { "\(network.rawValue) \(key)" }
  }

  case layer(Layer, String)
  case word(String)
  /// Vectors for programs that know no layers.
  case fallbackWord(String)
  case unsupported(String)

  /// What stands before the ending of a tensor that no family reads.
  static let unknown = "unknown "

  private static let words = ["params.new_concept_embedding.", "mosc.edlora."]
  /// The network is nil where the path itself must tell it.
  private static let networks: [(prefix: String, network: AdapterFile.Network?, isDirect: Bool)] = [
    ("params.unet.", .unet, true), ("params.text_encoder.", .textEncoder, true),
    ("base_model.model.unet.", .unet, false), ("base_model.model.text_encoder.", .textEncoder, false),
    (PEFTSettings.prefix, nil, false),
    ("lora_unet_", .unet, false), ("lora_te1_", .textEncoder, false),
    ("lora_te_", .textEncoder, false), ("lycoris_", nil, false), ("unet.", .unet, false),
    ("text_encoder.", .textEncoder, false), ("diffusion_model.", .unet, false),
    ("text_encoders.clip_l.transformer.", .textEncoder, false),
    ("clip_l.transformer.", .textEncoder, false),
  ]
  /// How paths of the U-Net begin where nothing else names it.
  private static let unetParts = [
    "down_blocks", "mid_block", "up_blocks", "conv_in", "conv_out", "conv_norm_out", "time_embedding",
  ]
  private static let textParts = ["text_model", "encoder", "embeddings", "final_layer_norm"]

  init(_ name: String) {
    for prefix in Self.words where name.hasPrefix(prefix) && name.count > prefix.count {
      self = .word(String(name.dropFirst(prefix.count)))
      return
    }
    if name.hasPrefix(Self.bundle) {
      self = Self.bundled(name.dropFirst(Self.bundle.count))
      return
    }
    guard let (network, rest, isDirect) = Self.network(name) else {
      self = .unsupported("its name is of no known family")
      return
    }
    let (stem, part) = Self.part(rest)
    guard !stem.isEmpty else {
      self = .unsupported("its name ends like no part of an adapter")
      return
    }
    self = .layer(
      Layer(
        network: network, key: Self.key(stem, network), stem: String(stem), isDirect: isDirect), part)
  }

  private static let bundle = "bundle_emb."

  /// The web UI writes `<word>.string_to_param.*`, OneTrainer `<word>.clip_l`.
  private static func bundled(_ rest: Substring) -> AdapterName {
    if let end = rest.firstRange(of: ".string_to_param.") {
      return .fallbackWord(String(rest[..<end.lowerBound]))
    }
    guard let dot = rest.lastIndex(of: "."), dot > rest.startIndex else {
      return .unsupported("it names no word")
    }
    let encoder = rest[rest.index(after: dot)...]
    guard encoder == "clip_l" else {
      return .unsupported(
        "is an embedding for the text encoder '\(encoder)', which Stable Diffusion 1.x does not have")
    }
    return .fallbackWord(String(rest[..<dot]))
  }

  private static func network(
    _ name: String
  ) -> (network: AdapterFile.Network, rest: Substring, isDirect: Bool)? {
    func own(_ path: Substring) -> AdapterFile.Network? {
      if unetParts.contains(where: path.hasPrefix) { return .unet }
      return textParts.contains(where: path.hasPrefix) ? .textEncoder : nil
    }
    if let family = networks.first(where: { name.hasPrefix($0.prefix) }) {
      let rest = name.dropFirst(family.prefix.count)
      return (family.network ?? own(rest)).map { ($0, rest, family.isDirect) }
    }
    // The attention processors of old diffusers name no network.
    let rest = name[...]
    guard name.contains("lora"), let network = own(rest) else { return nil }
    return (network, rest, false)
  }

  /// Cuts a name in the layer's path and what the tensor is there.
  private static func part(_ name: Substring) -> (stem: Substring, part: String) {
    for (ending, part) in AdapterFamilies.endings
    where name.hasSuffix(ending) && name.utf8.count > ending.utf8.count {
      let stem = name.dropLast(ending.count)
      // What ends so after all is no layer called `lora_C`, but a part of the layer before it.
      let isUnread = AdapterFamilies.unread.contains { stem.firstRange(of: ".\($0.0)") != nil }
      if stem.firstRange(of: ".lora") == nil, !isUnread { return (stem, part) }
    }
    // Underscores spell paths of kohya's, so the first point ends them.
    if !name.hasPrefix("text_model."), let dot = name.firstIndex(of: "."), name[..<dot].contains("_"),
      unetParts.contains(where: { name.hasPrefix("\($0)_") }) || name.hasPrefix("text_model_")
    {
      let end = name[name.index(after: dot)...]
      let kind = AdapterFamilies.unread.contains { end.hasPrefix($0.0) }
      return (name[..<dot], kind ? String(end) : unknown + end)
    }
    for (mark, _) in AdapterFamilies.unread {
      if let found = name.firstRange(of: ".\(mark)") {
        return (name[..<found.lowerBound], String(name[name.index(after: found.lowerBound)...]))
      }
    }
    guard let dot = name.lastIndex(of: ".") else { return ("", "") }
    // `lora_B.bias` belongs to the layer before it.
    var stem = name[..<dot]
    if let marker = stem.firstRange(of: ".lora") { stem = stem[..<marker.lowerBound] }
    return (stem, unknown + name[name.index(after: stem.endIndex)...])
  }

  private static func key(_ stem: Substring, _ network: AdapterFile.Network) -> String {
    var key = String(stem.replacing(".processor.", with: ".").replacing(".", with: "_"))
    switch network {
    case .unet:
      // The old attention processors left out the index within the output's sequence.
      if key.hasSuffix("_to_out") { key += "_0" }
    case .textEncoder:
      // Since version 5 transformers has no model inside the model.
      if !key.hasPrefix("text_model_") { key = "text_model_" + key }
      for (old, new) in [("q", "q_proj"), ("k", "k_proj"), ("v", "v_proj"), ("out", "out_proj")]
      where key.hasSuffix("_self_attn_to_\(old)") {
        key = key.dropLast("to_\(old)".count) + new
      }
    }
    return key
  }
}
