import Foundation
import MoscFormats
import MoscReport

/// Prompts as captions: what a model was taught has a word that the judge cannot know, its class has one
/// that it does.
package struct Caption {
  /// The class word; nil where captions name no concept.
  let className: String?
  /// The words of the concept, such as `<cat1> <cat2>`; nil to take whatever stands in angle brackets.
  let words: String?

  package init(className: String?, words: String?) { (self.className, self.words) = (className, words) }

  /// The text with the class word for the concept.
  ///
  /// - Throws: a usage error for a text that names a concept whose class nobody said.
  package func text(_ prompt: String) throws -> String {
    var text = prompt
    if let words, !words.isEmpty {
      text = try replace(words, in: text, of: prompt)
    }
    text = try replace(ConceptPlaceholder.text, in: text, of: prompt)
    if text.firstMatch(of: Self.bracketed) != nil {
      text = text.replacing(Self.bracketed, with: try name(prompt))
    }
    return text.trimmingCharacters(in: .whitespaces)
  }

  /// The text with the words of the concept for the placeholder.
  package func prompt(_ text: String) throws -> String {
    guard text.contains(ConceptPlaceholder.text) else { return text }
    guard let words, !words.isEmpty else {
      throw CommandError.usage(
        "the prompt '\(text)' has \(ConceptPlaceholder.text), but no adapter brings words; name them with --words")
    }
    return text.replacing(ConceptPlaceholder.text, with: words)
  }

  /// The text that is compared with a picture. Source: Mix-of-Show's evaluation, after CLIPScore.
  package static func described(_ caption: String) -> String { "A photo depicts \(caption)" }

  /// Words in angle brackets, several of one concept as one; adapter tags have a colon.
  private static var bracketed: Regex<(Substring, Substring?)> { /<[^<>:\s]+>(\s*<[^<>:\s]+>)*/ }

  private func replace(_ words: String, in text: String, of prompt: String) throws -> String {
    guard text.contains(words) else { return text }
    return text.replacing(words, with: try name(prompt))
  }

  private func name(_ prompt: String) throws -> String {
    guard let className else {
      throw CommandError.usage(
        "the prompt '\(prompt)' names a concept; say what it is with --class, such as --class cat")
    }
    return className
  }
}
