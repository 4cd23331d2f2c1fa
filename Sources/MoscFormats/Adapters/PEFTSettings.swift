import Foundation

/// The scale rules that PEFT writes beside an adapter: into `adapter_config.json` of its folder, or through
/// diffusers into the metadata of the file.
///
/// A key that is not known here is accepted while it says nothing; otherwise it may change the numbers, and is
/// refused. Source: peft, `LoraConfig`, `LoHaConfig`, `LoKrConfig`, `IA3Config` and `update_layer`.
struct PEFTSettings: Sendable {
  /// How names in PEFT's own files begin; the network is named by nobody but the model itself.
  static let prefix = "base_model.model."
  private static let metadataKey = "lora_adapter_metadata"

  private let path: String
  private let rank: Int?
  private let alpha: Double?
  private let ranks: [(pattern: ModulePattern, value: Double)]
  private let alphas: [(pattern: ModulePattern, value: Double)]
  /// Whether alpha is divided by the root of the rank (rsLoRA).
  private let usesRootOfRank: Bool
  /// Whether the layers are DoRA's.
  let isDecomposed: Bool

  /// The settings of the networks of a file; empty where nothing stands beside the tensors.
  static func all(
    _ path: String, _ metadata: [String: String], names: [String]
  ) throws(FormatError) -> [AdapterFile.Network: PEFTSettings] {
    var result: [AdapterFile.Network: PEFTSettings] = [:]
    if let text = metadata[metadataKey] {
      let place = "\(path): \(metadataKey)"
      let value = try JSONValue.parse(Array(text.utf8), path: place)
      guard let members = value.members else {
        throw FormatError(path, metadataKey, "expected an object, found \(value.kindName)")
      }
      for (network, name) in [(AdapterFile.Network.unet, "unet."), (.textEncoder, "text_encoder.")] {
        let own = members.filter { $0.key.hasPrefix(name) }
          .map { JSONValue.Member(String($0.key.dropFirst(name.count)), $0.value) }
        if !own.isEmpty { result[network] = try PEFTSettings(JSONObject(path: place, members: own)) }
      }
    }
    guard let first = names.first(where: { $0.hasPrefix(prefix) }) else { return result }
    let file = URL(fileURLWithPath: path).deletingLastPathComponent()
      .appending(path: AdapterFolder.settings)
    guard FileManager.default.fileExists(atPath: file.path) else {
      throw FormatError(
        path, "tensor \"\(first)\"",
        "is of a PEFT adapter, whose alpha stands in \(AdapterFolder.settings); there is none beside it")
    }
    let own = try PEFTSettings(try JSONObject(contentsOf: file))
    for network in AdapterFile.Network.allCases { result[network] = own }
    return result
  }

  /// Keys that change nothing about trained numbers, or whose effect is in the tensors.
  private static let inert: Set<String> = [
    "peft_type", "peft_version", "task_type", "auto_mapping", "base_model_name_or_path", "revision",
    "inference_mode", "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern",
    "feedforward_modules", "modules_to_save", "bias", "lora_bias", "use_dora", "use_rslora", "r",
    "alpha", "lora_alpha", "rank_pattern", "alpha_pattern", "lora_dropout", "rank_dropout",
    "module_dropout", "rank_dropout_scale", "init_weights", "init_ia3_weights", "init_lora_weights",
    "use_effective_conv2d", "decompose_both", "decompose_factor", "megatron_core", "megatron_config",
    "qalora_group_size", "ensure_weight_tying", "runtime_config", "loftq_config", "eva_config",
  ]
  private static let kinds = ["LORA", "LOHA", "LOKR", "IA3"]
  /// Starts that leave the model's own weights as they are.
  private static let plainStarts = ["gaussian", "eva", "orthogonal"]

  init(_ object: JSONObject) throws(FormatError) {
    path = object.path
    let kind = try object.string("peft_type", default: "LORA")
    guard Self.kinds.contains(kind.uppercased()) else {
      throw object.error(
        "peft_type", "expected one of \(Self.kinds.joined(separator: ", ")), found \"\(kind)\"")
    }
    for member in object.members where !Self.inert.contains(member.key) && !Self.isOff(member.value) {
      throw object.error(
        member.key, "is not known here and may change what the adapter does, found \(member.value)")
    }
    if let start = object["init_lora_weights"]?.string, !Self.plainStarts.contains(start) {
      throw object.error(
        "init_lora_weights",
        "\"\(start)\" changed the model's own weights before training; save the adapter again with "
          + "path_initial_model_for_weight_conversion")
    }
    rank = object["r"] == nil ? nil : try object.int("r")
    let alphaKey = object["lora_alpha"] == nil ? "alpha" : "lora_alpha"
    alpha = object[alphaKey] == nil ? nil : try object.double(alphaKey)
    guard rank ?? 1 > 0 else { throw object.error("r", "expected a rank, found \(rank ?? 0)") }
    ranks = try Self.pattern("rank_pattern", object)
    alphas = try Self.pattern("alpha_pattern", object)
    usesRootOfRank = try object.bool("use_rslora", default: false)
    isDecomposed = try object.bool("use_dora", default: false)
  }

  /// Whether a value says nothing.
  private static func isOff(_ value: JSONValue) -> Bool {
    switch value {
    case .null, .bool(false), .int(0), .string(""), .array([]), .object([]): true
    case .double(let number): number == 0
    default: false
    }
  }

  private static func pattern(
    _ key: String, _ object: JSONObject
  ) throws(FormatError) -> [(pattern: ModulePattern, value: Double)] {
    guard let value = object[key] else { return [] }
    guard let members = value.members else {
      throw object.error(key, "expected an object, found \(value.kindName)")
    }
    var result: [(pattern: ModulePattern, value: Double)] = []
    for member in members {
      guard let number = member.value.double, number.isFinite else {
        throw object.error(key, "expected a number at \"\(member.key)\", found \(member.value)")
      }
      guard let pattern = ModulePattern(member.key) else {
        throw object.error(
          key, "the pattern \"\(member.key)\" is not supported: expected names with '.', '.*' and '^'")
      }
      result.append((pattern, number))
    }
    return result
  }

  /// `alpha / rank`, or with rsLoRA `alpha / √rank`, by the first pattern that fits the layer.
  ///
  /// - Parameter rank: that of the tensors; nil where they have none.
  func scale(of layer: String, rank found: Int?) throws(FormatError) -> Float {
    let own = ranks.first { $0.pattern.matches(layer) }?.value ?? rank.map(Double.init)
    let alpha = alphas.first { $0.pattern.matches(layer) }?.value ?? self.alpha
    guard let rank = found.map(Double.init) ?? own, let alpha else { return 1 }
    if let own, let found, own != Double(found), !layer.isEmpty {
      throw FormatError(
        path, "layer '\(layer)'", "should have rank \(own.plain), its tensors have \(found)")
    }
    return Float(alpha / (usesRootOfRank ? rank.squareRoot() : rank))
  }
}

extension Double {
  /// Without the point where there is nothing behind it.
  fileprivate var plain: String { Int(exactly: self).map(String.init) ?? "\(self)" }
}

/// A pattern of layer names as PEFT reads it: a regular expression that the end of a name must match, from its
/// beginning or from a point on.
///
/// Names, `.` for any character, `.*` for any characters and `^` for the beginning are read, in time that grows
/// with the product of both lengths.
struct ModulePattern: Sendable {
  private enum Step: Hashable { case literal(Character), any, anything }
  private var steps: [Step] = []
  private var isAnchored = false

  /// Reads a pattern; nil for expressions that are not read here.
  init?(_ text: String) {
    var rest = text[...]
    if rest.first == "^" {
      isAnchored = true
      rest = rest.dropFirst()
    }
    if rest.last == "$" { rest = rest.dropLast() }
    while let character = rest.popFirst() {
      switch character {
      case "\\":
        guard let next = rest.popFirst(), !next.isLetter, !next.isNumber else { return nil }
        steps.append(.literal(next))
      case ".":
        if rest.first == "*" {
          rest = rest.dropFirst()
          steps.append(.anything)
        } else {
          steps.append(.any)
        }
      case _ where character.isLetter || character.isNumber || "_-".contains(character):
        steps.append(.literal(character))
      default: return nil
      }
    }
    if steps.isEmpty || steps.count > 1000 { return nil }
  }

  /// Whether the name of a layer matches.
  func matches(_ name: String) -> Bool {
    let characters = Array(name)
    // Which steps may come next, after so many characters.
    var states: Set<Int> = [0]
    for place in 0...characters.count {
      if !isAnchored, place == 0 || characters[place - 1] == "." { states.insert(0) }
      var open = Array(states)
      while let state = open.popLast() {
        if state < steps.count, steps[state] == .anything, states.insert(state + 1).inserted {
          open.append(state + 1)
        }
      }
      if place == characters.count { return states.contains(steps.count) }
      states = Set(
        states.compactMap { state in
          guard state < steps.count else { return nil }
          switch steps[state] {
          case .anything: return state
          case .any: return state + 1
          case .literal(let expected): return expected == characters[place] ? state + 1 : nil
          }
        })
    }
    return false
  }
}
