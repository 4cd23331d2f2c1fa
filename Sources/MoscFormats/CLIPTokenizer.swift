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

  private struct Added: Sendable {
    var text: [Unicode.Scalar]
    var id: Int32
  }

  package let bos: Int32
  package let eos: Int32
  package let pad: Int32
  /// The number of ids a text encoder takes, 77 for CLIP.
  package let maximumLength: Int
  /// The first id after the vocabulary and all added tokens.
  package private(set) var nextID: Int32
  private let encoder: BytePairEncoder
  /// Added tokens by their first scalar, the longest first.
  private var added: [Unicode.Scalar: [Added]] = [:]

  /// Reads `vocab.json` and `merges.txt`, or `tokenizer.json`, and if present `tokenizer_config.json`,
  /// `special_tokens_map.json` and `added_tokens.json` of a tokenizer folder.
  package init(folder: URL) throws(FormatError) {
    let source = try TokenizerVocabulary(folder: folder)
    var encoder = BytePairEncoder(source)
    var settings = try TokenizerSettings(folder: folder)
    settings.add(source.added)
    func id(_ key: String) throws(FormatError) -> Int32 {
      let name = settings.name(of: key)
      guard
        let id = encoder.vocabulary[name] ?? settings.added.first(where: { $0.text == name })?.id
      else {
        throw FormatError(
          source.path, key,
          "the token \"\(name)\" is not in the vocabulary")
      }
      return id
    }
    bos = try id("bos_token")
    eos = try id("eos_token")
    pad = try id("pad_token")
    encoder.unknown = try id("unk_token")
    maximumLength = settings.maximumLength
    nextID = (encoder.vocabulary.values.max() ?? -1) + 1
    self.encoder = encoder
    for (text, id) in settings.added { add(text, id: id) }
    for key in TokenizerSettings.specialKeys {
      let name = settings.name(of: key)
      if let id = encoder.vocabulary[name] { add(name, id: id) }
    }
  }

  /// Whether every word has the token that it has in another tokenizer.
  package func hasVocabulary(of other: CLIPTokenizer) -> Bool {
    encoder.vocabulary == other.encoder.vocabulary
  }

  /// Makes a text that is one token wherever it occurs in a prompt; the first id given to a text
  /// stays.
  package mutating func add(_ text: String, id: Int32) {
    let scalars = Array(text.unicodeScalars)
    guard let first = scalars.first else { return }
    var list = added[first] ?? []
    guard !list.contains(where: { $0.text == scalars }) else { return }
    let place = list.firstIndex { $0.text.count < scalars.count } ?? list.count
    list.insert(Added(text: scalars, id: id), at: place)
    added[first] = list
    nextID = max(nextID, id + 1)
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
    var result: [Int32] = []
    var cache: [String: [Int32]] = [:]
    for stretch in stretches(text) {
      switch stretch {
      case .added(let id): result.append(id)
      case .plain(let plain): encodePlain(plain, into: &result, &cache)
      }
    }
    return result
  }

  /// The ids of a text whose plain stretches are repaired first.
  ///
  /// A repair may lower letters and decode characters, so that begin and end tokens are looked for
  /// again in what it gives.
  package func tokens(_ text: String, repairing repair: (String) -> String) -> [Int32] {
    var result: [Int32] = []
    for stretch in stretches(text) {
      switch stretch {
      case .added(let id): result.append(id)
      case .plain(let plain): result += tokens(repair(plain))
      }
    }
    return result
  }

  /// What tokens stand for, a space after each end of a word.
  package func spellings(_ ids: [Int32]) -> [String] {
    var names: [Int32: String] = [:]
    for (text, id) in encoder.vocabulary { names[id] = text }
    for token in added.values.joined() {
      var view = String.UnicodeScalarView()
      view.append(contentsOf: token.text)
      names[token.id] = String(view) + " "
    }
    return ids.map { id in
      guard let name = names[id] else { return "<\(id)>" }
      guard id != bos, id != eos, !name.hasSuffix(" ") else { return name }
      return encoder.decoded(name)
    }
  }

  private enum Stretch {
    case added(Int32)
    case plain(String)
  }

  /// A text cut at added tokens.
  private func stretches(_ text: String) -> [Stretch] {
    let scalars = Array(text.unicodeScalars)
    var result: [Stretch] = []
    var start = 0
    var position = 0
    func plain(_ end: Int) {
      guard start < end else { return }
      var view = String.UnicodeScalarView()
      view.append(contentsOf: scalars[start..<end])
      result.append(.plain(String(view)))
    }
    while position < scalars.count {
      guard
        let match = added[scalars[position]]?
          .first(where: { scalars[position...].starts(with: $0.text) })
      else {
        position += 1
        continue
      }
      plain(position)
      result.append(.added(match.id))
      position += match.text.count
      start = position
    }
    plain(scalars.count)
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
    _ text: String, into result: inout [Int32], _ cache: inout [String: [Int32]]
  ) {
    let scalars = Array(
      text.precomposedStringWithCanonicalMapping.lowercased().unicodeScalars)
    let categories = scalars.map(Self.category)
    var position = 0
    while position < scalars.count {
      let start = position
      if scalars[start] == "'",
        let match = Self.contractions.first(where: { scalars[start...].starts(with: $0) })
      {
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
        let ids = encoder.encode(piece)
        cache[piece] = ids
        result += ids
      }
    }
  }
}
