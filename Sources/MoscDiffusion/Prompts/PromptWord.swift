import Foundation

/// Where a prompt holds a taught word.
///
/// `<word>` counts wherever it stands. A bare word, as embeddings have, counts as a whole word, in any
/// case, also after `embedding:`, as ComfyUI spells it.
package enum PromptWord {
  /// What may stand before a bare word to say what it is.
  package static let prefix = "embedding:"

  /// Whether a text holds a word.
  package static func occurs(_ word: String, in text: String) -> Bool {
    next(word, in: text[...]) != nil
  }

  /// The text with something in the place of a word.
  package static func replace(_ word: String, in text: String, with other: String) -> String {
    var result = ""
    var rest = text[...]
    while let range = next(word, in: rest) {
      result += rest[..<range.lowerBound] + other
      rest = rest[range.upperBound...]
    }
    return result + rest
  }

  private static func next(_ word: String, in text: Substring) -> Range<Substring.Index>? {
    if word.isEmpty { return nil }
    if word.hasPrefix("<") { return text.range(of: word) }
    var start = text.startIndex
    while let found = text.range(of: word, options: .caseInsensitive, range: start..<text.endIndex) {
      let before = text[..<found.lowerBound]
      let after = text[found.upperBound...]
      if !isPart(before.last), !isPart(after.first) {
        let isNamed = before.range(of: prefix, options: [.caseInsensitive, .anchored, .backwards])
        return (isNamed?.lowerBound ?? found.lowerBound)..<found.upperBound
      }
      start = text.index(after: found.lowerBound)
    }
    return nil
  }

  private static func isPart(_ character: Character?) -> Bool {
    character.map { $0.isLetter || $0.isNumber || $0 == "_" } ?? false
  }

  /// The names after `embedding:` in a text.
  package static func embeddings(in text: String) -> [String] {
    text.matches(of: /(?i)\bembedding:([^\s,:()\[\]<>|]+)/).map { String($0.output.1) }
  }
}
