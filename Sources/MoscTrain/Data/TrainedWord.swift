import Foundation
import MoscFormats

/// A word that training teaches, and what its embedding starts from.
package struct TrainedWord: Hashable, Sendable {
  /// What an embedding is before training.
  package enum Start: Hashable, Sendable {
    /// Normal numbers with this standard deviation, one vector for all layers.
    case random(deviation: Double)
    /// The embedding of a word that is one token.
    case word(String)

    /// The start as Mix-of-Show writes it.
    package var text: String {
      switch self {
      case .random(let deviation): "<rand-\(deviation)>"
      case .word(let word): word
      }
    }
  }

  /// The word as captions spell it, such as `<a1>`.
  package var text: String
  package var start: Start

  package init(_ text: String, _ start: Start) {
    self.text = text
    self.start = start
  }

  /// The deviation that Mix-of-Show uses when nothing is said.
  package static let defaultDeviation = 0.017

  /// Reads words and starts as Mix-of-Show writes them: `<a1>+<a2>` and `<rand-0.013>+man`.
  ///
  /// Words may be separated by spaces as well. Without starts, all words start at random.
  /// - Throws: `FormatError` when the counts differ, a word is used twice or a start is no start.
  package static func parse(
    words: String, starts: String?, path: String
  ) throws(FormatError) -> [TrainedWord] {
    let texts = split(words)
    guard !texts.isEmpty else { throw FormatError(path, "concept words", "there are none") }
    for (i, text) in texts.enumerated() where texts[..<i].contains(text) {
      throw FormatError(path, "concept words", "'\(text)' occurs twice")
    }
    guard let starts, !starts.isEmpty else {
      return texts.map { TrainedWord($0, .random(deviation: defaultDeviation)) }
    }
    let parts = split(starts)
    guard parts.count == texts.count else {
      throw FormatError(
        path, "initial words",
        "'\(starts)' starts \(parts.count) words, but there are \(texts.count): '\(words)'")
    }
    var result: [TrainedWord] = []
    for (text, part) in zip(texts, parts) {
      guard part.hasPrefix("<rand") else {
        result.append(TrainedWord(text, .word(part)))
        continue
      }
      guard part.hasPrefix("<rand-"), part.hasSuffix(">"),
        let deviation = Double(part.dropFirst(6).dropLast()), 0...100 ~= deviation
      else {
        throw FormatError(
          path, "initial words", "'\(part)' is no start: expected '<rand-0.013>' or a word")
      }
      result.append(TrainedWord(text, .random(deviation: deviation)))
    }
    return result
  }

  private static func split(_ text: String) -> [String] {
    text.split { $0 == "+" || $0.isWhitespace }.map(String.init)
  }

  /// What is wrong with words and starts before a tokenizer, all of it.
  ///
  /// A concept word must not be an ordinary word, which other captions would mean as well; the word
  /// that a concept starts from must be one token.
  package static func problems(
    _ words: [TrainedWord], _ tokenizer: CLIPTokenizer, path: String
  ) -> [FormatError] {
    words.flatMap { word -> [FormatError] in
      var result: [FormatError] = []
      if tokenizer.tokens(word.text).count == 1 {
        result.append(
          FormatError(
            path, "concept word '\(word.text)'",
            "is an ordinary word of the model; take one that is not, such as '<\(word.text)1>'"))
      }
      if case .word(let start) = word.start {
        let count = tokenizer.tokens(start).count
        if count != 1 {
          result.append(
            FormatError(
              path, "initial word '\(start)'",
              "is \(count) tokens, expected a word that is one token"))
        }
      }
      return result
    }
  }

  /// A caption as layer `layer` of the U-Net hears it: every word becomes the name of its token.
  ///
  /// Names are `<new0>`…`<new15>` for the first word, `<new16>`… for the second. Source:
  /// Mix-of-Show, `bind_concept_prompt`.
  package static func bind(
    _ caption: String, _ words: [TrainedWord], layer: Int, layers: Int = 16
  ) -> String {
    words.enumerated().reduce(caption) { text, entry in
      text.replacingOccurrences(
        of: entry.element.text, with: "<new\(entry.offset * layers + layer)>")
    }
  }
}
