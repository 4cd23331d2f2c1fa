import MoscFormats

/// Turns prompts with concept words into one prompt for each cross-attention layer.
///
/// In copy l every concept word is replaced by its token for layer l, as text (Mix-of-Show's
/// `bind_concept_prompt`); a prompt without concept words is the same for all layers.
package struct PromptBinder: Sendable {
  package let words: [ConceptWord]
  /// The number of cross-attention layers.
  package let layers: Int

  package init(words: [ConceptWord], layers: Int) {
    // A bare word may be part of another; the longer one is meant.
    let bare = words.filter { !$0.text.hasPrefix("<") }
    self.words =
      words.filter { $0.text.hasPrefix("<") } + bare.sorted { $0.text.count > $1.text.count }
    self.layers = layers
  }

  /// The prompts of the layers: one if all are equal.
  ///
  /// - Throws: `PromptError` for a word such as `<cat1>` that no loaded concept has.
  package func bind(_ prompt: String) throws(PromptError) -> [String] {
    try check(prompt)
    guard words.contains(where: { PromptWord.occurs($0.text, in: prompt) }) else { return [prompt] }
    return (0..<layers).map { layer in
      words.reduce(prompt) { text, word in
        PromptWord.replace(word.text, in: text, with: word.tokenName(layer: layer))
      }
    }
  }

  /// Whether any layer reads another text than the others.
  package func isLayerwise(_ prompt: String) -> Bool {
    words.contains { $0.isLayerwise && PromptWord.occurs($0.text, in: prompt) }
  }

  private func check(_ prompt: String) throws(PromptError) {
    var rest = prompt
    for word in words {
      rest = PromptWord.replace(word.text, in: rest, with: " ")
      for name in word.tokenNames { rest = rest.replacing(name, with: " ") }
    }
    guard let unknown = rest.firstMatch(of: /<[^<>\s:]+>/).map({ String($0.output) }) else {
      return
    }
    let known = words.map(\.text)
    if known.isEmpty {
      throw PromptError(
        "the prompt names the concept '\(unknown)', but no concept is loaded; give its file with "
          + "--lora: \"\(prompt)\"")
    }
    let nearest = NearestName.suggest(unknown, in: known)
    throw PromptError(
      "no loaded concept has the word '\(unknown)'"
        + (nearest.map { ", did you mean '\($0)'?" } ?? "; there are \(known.joined(separator: ", "))"))
  }
}
