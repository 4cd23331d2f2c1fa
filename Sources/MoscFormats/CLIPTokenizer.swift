import Foundation

/// The byte-level BPE tokenizer of CLIP, as the current (fast) implementation of transformers.
///
/// Text is NFC-normalised, white space folded, lower-cased, cut into contractions, runs of
/// letters, single digits and runs of other symbols; each piece is encoded as UTF-8 bytes in
/// printable stand-ins with `</w>` on the last, and merged by rank. Special and added tokens are
/// found in the text first, the longest at each place.
package struct CLIPTokenizer: Sendable {
  /// The result of tokenising one prompt.
  package struct Encoding: Hashable, Sendable {
    /// Token ids with begin and end, padded or truncated to the model's length.
    package var ids: [Int32]
    /// How many tokens the text has, with begin and end, before truncation.
    package var tokenCount: Int
    /// Whether tokens were cut off.
    package var isTruncated: Bool
  }

  package let bos: Int32
  package let eos: Int32
  package let pad: Int32
  /// The number of ids a text encoder takes, 77 for CLIP.
  package let maximumLength: Int
  private let vocabulary: [String: Int32]
  private let ranks: [Pair: Int]
  private var special: [(text: [Unicode.Scalar], id: Int32)] = []
  private static let byteNames = Self.makeByteNames()

  private struct Pair: Hashable, Sendable {
    var left: String
    var right: String
  }

  /// Reads `vocab.json`, `merges.txt`, and if present `tokenizer_config.json`,
  /// `special_tokens_map.json` and `added_tokens.json` of a tokenizer folder.
  package init(folder: URL) throws(FormatError) {
    let vocabularyFile = try JSONObject(contentsOf: folder.appending(path: "vocab.json"))
    var vocabulary: [String: Int32] = [:]
    for member in vocabularyFile.members {
      guard let id = member.value.int, let small = Int32(exactly: id), id >= 0 else {
        throw vocabularyFile.error(member.key, "expected a token id, found \(member.value)")
      }
      vocabulary[member.key] = small
    }
    let mergesURL = folder.appending(path: "merges.txt")
    var ranks: [Pair: Int] = [:]
    let merges = String(decoding: try readFile(mergesURL), as: UTF8.self)
    for (number, line) in merges.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    where !line.isEmpty && !line.hasPrefix("#version") {
      let parts = line.split(separator: " ")
      guard parts.count == 2 else {
        throw FormatError(
          mergesURL.path, "line \(number + 1)", "expected two symbols, found \"\(line)\"")
      }
      ranks[Pair(left: String(parts[0]), right: String(parts[1]))] = ranks.count
    }
    var added: [(String, Int32)] = []
    let addedURL = folder.appending(path: "added_tokens.json")
    if FileManager.default.fileExists(atPath: addedURL.path) {
      let file = try JSONObject(contentsOf: addedURL)
      for member in file.members {
        guard let id = member.value.int.flatMap(Int32.init(exactly:)) else {
          throw file.error(member.key, "expected a token id, found \(member.value)")
        }
        added.append((member.key, id))
      }
    }
    var names = ["bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>"]
    var length = 77
    let settingsURL = folder.appending(path: "tokenizer_config.json")
    if FileManager.default.fileExists(atPath: settingsURL.path) {
      let settings = try JSONObject(contentsOf: settingsURL)
      length = try settings.int("model_max_length", default: 77)
      for key in ["bos_token", "eos_token", "pad_token"] {
        if let text = settings[key]?.string ?? settings[key]?["content"]?.string {
          names[key] = text
        }
      }
    }
    func id(_ key: String) throws(FormatError) -> Int32 {
      let name = names[key] ?? names["eos_token"] ?? ""
      guard let id = vocabulary[name] ?? added.first(where: { $0.0 == name })?.1 else {
        throw FormatError(
          vocabularyFile.path, key, "the token \"\(name)\" is not in the vocabulary")
      }
      return id
    }
    self.vocabulary = vocabulary
    self.ranks = ranks
    bos = try id("bos_token")
    eos = try id("eos_token")
    pad = try id("pad_token")
    guard (2...4096).contains(length) else {
      throw FormatError(settingsURL.path, "model_max_length", "expected 2…4096, found \(length)")
    }
    maximumLength = length
    for (text, id) in added { add(text, id: id) }
    for name in Set(names.values) {
      if let id = vocabulary[name] { add(name, id: id) }
    }
  }

  /// The first id after the vocabulary and all added tokens.
  package var nextID: Int32 {
    max(vocabulary.values.max() ?? -1, special.map(\.id).max() ?? -1) + 1
  }

  /// Makes a text that is one token wherever it occurs in a prompt.
  package mutating func add(_ text: String, id: Int32) {
    let scalars = Array(text.unicodeScalars)
    guard !scalars.isEmpty, !special.contains(where: { $0.text == scalars }) else { return }
    let place = special.firstIndex { $0.text.count < scalars.count } ?? special.count
    special.insert((scalars, id), at: place)
  }

  /// The ids of a prompt, with begin and end tokens, padded and truncated to the model's length.
  package func encode(_ text: String) -> Encoding {
    let body = tokens(text)
    let kept = body.prefix(maximumLength - 2)
    var ids = [bos] + kept + [eos]
    ids += [Int32](repeating: pad, count: maximumLength - ids.count)
    return Encoding(
      ids: ids, tokenCount: body.count + 2, isTruncated: kept.count < body.count)
  }

  /// The ids of a text without begin, end, padding or truncation.
  package func tokens(_ text: String) -> [Int32] {
    let scalars = Array(text.unicodeScalars)
    var result: [Int32] = []
    var cache: [String: [Int32]] = [:]
    var start = 0
    var position = 0
    func flush(_ end: Int) {
      if end > start { encodePlain(scalars[start..<end], into: &result, &cache) }
    }
    while position < scalars.count {
      if let match = special.first(where: { scalars[position...].starts(with: $0.text) }) {
        flush(position)
        result.append(match.id)
        position += match.text.count
        start = position
      } else {
        position += 1
      }
    }
    flush(scalars.count)
    return result
  }

  // MARK: Pieces

  private enum Category { case space, letter, number, other }

  private static func category(_ scalar: Unicode.Scalar) -> Category {
    if scalar.properties.isWhitespace { return .space }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      return .letter
    case .decimalNumber, .letterNumber, .otherNumber:
      return .number
    default:
      return .other
    }
  }

  private static let contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"]
    .map { Array($0.unicodeScalars) }

  private func encodePlain(
    _ raw: ArraySlice<Unicode.Scalar>, into result: inout [Int32], _ cache: inout [String: [Int32]]
  ) {
    var text = ""
    text.unicodeScalars.append(contentsOf: raw)
    let scalars = Array(
      text.precomposedStringWithCanonicalMapping.lowercased().unicodeScalars)
    let categories = scalars.map(Self.category)
    var position = 0
    while position < scalars.count {
      let start = position
      if let match = Self.contractions.first(where: { scalars[start...].starts(with: $0) }) {
        position += match.count
      } else {
        let kind = categories[start]
        position += 1
        if kind == .letter || kind == .other {
          while position < scalars.count, categories[position] == kind { position += 1 }
        }
        if kind == .space { continue }
      }
      var piece = ""
      piece.unicodeScalars.append(contentsOf: scalars[start..<position])
      if let known = cache[piece] {
        result += known
      } else {
        let ids = encodePiece(piece)
        cache[piece] = ids
        result += ids
      }
    }
  }

  private func encodePiece(_ piece: String) -> [Int32] {
    var symbols = piece.utf8.map { Self.byteNames[Int($0)] }
    guard !symbols.isEmpty else { return [] }
    symbols[symbols.count - 1] += "</w>"
    while symbols.count > 1 {
      var best: (rank: Int, pair: Pair)?
      for i in 0..<symbols.count - 1 {
        let pair = Pair(left: symbols[i], right: symbols[i + 1])
        if let rank = ranks[pair], rank < best?.rank ?? .max { best = (rank, pair) }
      }
      guard let (_, pair) = best else { break }
      var merged: [String] = []
      var i = 0
      while i < symbols.count {
        if i + 1 < symbols.count, symbols[i] == pair.left, symbols[i + 1] == pair.right {
          merged.append(pair.left + pair.right)
          i += 2
        } else {
          merged.append(symbols[i])
          i += 1
        }
      }
      symbols = merged
    }
    // An unknown symbol is the unknown token, which CLIP defines as the end token.
    return symbols.map { vocabulary[$0] ?? eos }
  }

  /// Printable stand-ins for the 256 bytes: printable Latin-1 for itself, others from U+0100 on.
  /// Source: the byte encoder of GPT-2.
  private static func makeByteNames() -> [String] {
    var next: UInt32 = 256
    return (0..<256).map { byte in
      var code = UInt32(byte)
      if !(33...126 ~= byte || 161...172 ~= byte || 174...255 ~= byte) {
        code = next
        next += 1
      }
      return Unicode.Scalar(code).map { String(Character($0)) } ?? ""
    }
  }
}
