/// The web UIs' prompt syntax that is read as plain words here.
///
/// One warning for it, until prompts are read in that language: then this file and its call go.
enum LiteralSyntax {
  /// What to say of prompts; nil when none holds any.
  static func warning(_ prompts: some Sequence<String>) -> String? {
    for prompt in prompts.sorted() {
      guard let found = prompt.firstMatch(of: /\\?[()\[\]]|\b(?:BREAK|AND)\b|<hypernet:|\bembedding:/) else { continue }
      return "'\(found.output)' is read literally: weights such as (word:1.2), [from:to:when], BREAK and "
        + "AND have no meaning in prompts yet: \"\(prompt.prefix(60))\""
    }
    return nil
  }
}
