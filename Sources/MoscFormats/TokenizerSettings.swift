import Foundation

/// The optional files of a tokenizer folder: special tokens, added tokens and the length.
struct TokenizerSettings: Sendable {
  static let specialKeys = ["bos_token", "eos_token", "pad_token", "unk_token"]
  private static let defaultLength = 77

  /// Tokens beyond the vocabulary with their ids.
  private(set) var added: [(text: String, id: Int32)] = []
  private(set) var maximumLength = TokenizerSettings.defaultLength
  private var names = ["bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>"]

  init(folder: URL) throws(FormatError) {
    if let map = try Self.read("special_tokens_map.json", folder) { readNames(map) }
    if let config = try Self.read("tokenizer_config.json", folder) {
      readNames(config)
      try readLength(config)
      try readDecoder(config)
    }
    if let file = try Self.read("added_tokens.json", folder) {
      for member in file.members {
        added.append((member.key, try BytePairEncoder.tokenID(member, file)))
      }
    }
  }

  /// Adds tokens that stand beside the vocabulary; those of the settings' own files come first.
  mutating func add(_ tokens: [(text: String, id: Int32)]) {
    added += tokens.filter { token in !added.contains { $0.text == token.text } }
  }

  /// The text of a special token; CLIP pads with the end token and has no other for the unknown.
  func name(of key: String) -> String { names[key] ?? names["eos_token"] ?? "" }

  private static func read(_ name: String, _ folder: URL) throws(FormatError) -> JSONObject? {
    let url = folder.appending(path: name)
    guard FileManager.default.fileExists(atPath: url.path) else { return nil }
    return try JSONObject(contentsOf: url)
  }

  private mutating func readNames(_ file: JSONObject) {
    for key in Self.specialKeys {
      if let text = file[key]?.string ?? file[key]?["content"]?.string { names[key] = text }
    }
  }

  private mutating func readLength(_ config: JSONObject) throws(FormatError) {
    let length = try config.double("model_max_length", default: Double(Self.defaultLength))
    // Some folders hold 1e30 for "no limit"; the text encoders of CLIP still take 77.
    if length > 1e9 { return }
    guard let exact = Int(exactly: length), (2...4096).contains(exact) else {
      throw config.error("model_max_length", "expected 2…4096, found \(length)")
    }
    maximumLength = exact
  }

  /// Newer folders list added tokens as `"49408": {"content": "<new0>", …}`.
  private mutating func readDecoder(_ config: JSONObject) throws(FormatError) {
    for member in config["added_tokens_decoder"]?.members ?? [] {
      guard let id = Int32(member.key), (0..<1 << 30).contains(id),
        let text = member.value["content"]?.string
      else {
        throw config.error(
          "added_tokens_decoder", "expected ids with a 'content' string at \"\(member.key)\"")
      }
      added.append((text, id))
    }
  }
}
