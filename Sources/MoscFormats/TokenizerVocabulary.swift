import Foundation

/// The vocabulary of a byte-pair tokenizer and its merges, from the files of a tokenizer folder.
///
/// Read are `vocab.json` with `merges.txt`, or the one `tokenizer.json` that newer programs write alone.
struct TokenizerVocabulary: Sendable {
  /// What ends the last symbol of a word.
  static let wordEnd = "</w>"

  private(set) var vocabulary: [String: Int32] = [:]
  private(set) var merges: [(left: String, right: String)] = []
  /// Tokens beyond the vocabulary, where its file lists them.
  private(set) var added: [(text: String, id: Int32)] = []
  /// The file of the vocabulary.
  let path: String

  init(folder: URL) throws(FormatError) {
    let (words, pairs) = (folder.appending(path: "vocab.json"), folder.appending(path: "merges.txt"))
    let whole = folder.appending(path: "tokenizer.json")
    func exists(_ url: URL) -> Bool { FileManager.default.fileExists(atPath: url.path) }
    guard exists(words) && exists(pairs) || !exists(whole) else {
      path = whole.path
      try readWhole(try JSONObject(contentsOf: whole))
      return
    }
    path = words.path
    let file = try JSONObject(contentsOf: words)
    try readWords(file.members, file)
    try readMerges(pairs)
  }

  private mutating func readWords(
    _ members: [JSONValue.Member], _ file: JSONObject
  ) throws(FormatError) {
    vocabulary.reserveCapacity(members.count)
    for member in members { vocabulary[member.key] = try BytePairEncoder.tokenID(member, file) }
  }

  private mutating func readMerges(_ url: URL) throws(FormatError) {
    let content = [UInt8](try readFile(url))
    let lines = content.split(separator: 0x0a, omittingEmptySubsequences: false)
    merges.reserveCapacity(lines.count)
    for (number, raw) in lines.enumerated() {
      let line = raw.last == 0x0d ? raw.dropLast() : raw
      if line.isEmpty || line.starts(with: Array("#version".utf8)) { continue }
      guard let pair = Self.pair(line) else {
        throw FormatError(
          url.path, "line \(number + 1)",
          "expected two symbols, found \"\(String(decoding: line, as: UTF8.self))\"")
      }
      merges.append(pair)
    }
  }

  private static func pair(_ line: some Collection<UInt8>) -> (left: String, right: String)? {
    let parts = Array(line).split(separator: 0x20, omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    return (String(decoding: parts[0], as: UTF8.self), String(decoding: parts[1], as: UTF8.self))
  }

  private mutating func readWhole(_ file: JSONObject) throws(FormatError) {
    guard let model = file["model"], let words = model["vocab"]?.members,
      let pairs = model["merges"]?.array
    else { throw file.error("model", "expected an object with 'vocab' and 'merges'") }
    let (kind, end) = (model["type"]?.string ?? "BPE", model["end_of_word_suffix"]?.string ?? "")
    guard kind == "BPE", end == Self.wordEnd else {
      throw file.error(
        "model",
        "expected type BPE with the end of words \"\(Self.wordEnd)\", as CLIP has it, found \(kind) with "
          + "\"\(end)\"")
    }
    try readWords(words, file)
    merges.reserveCapacity(pairs.count)
    for (number, entry) in pairs.enumerated() {
      // Older files join both symbols by a blank, newer ones hold lists.
      let list = entry.array?.compactMap(\.string) ?? []
      let found = entry.string.flatMap { Self.pair($0.utf8) } ?? (list.count == 2 ? (list[0], list[1]) : nil)
      guard let found else {
        throw file.error("model.merges", "expected two symbols at [\(number)], found \(entry)")
      }
      merges.append(found)
    }
    for entry in file["added_tokens"]?.array ?? [] {
      guard let text = entry["content"]?.string, let id = entry["id"]?.int, (0..<1 << 30).contains(id)
      else { throw file.error("added_tokens", "expected 'id' and 'content', found \(entry)") }
      added.append((text, Int32(id)))
    }
  }
}
