import MoscFormats

/// Prompts that concepts are fused with.
package struct FusionPrompts: Hashable, Sendable {
  /// What every concept is drawn in for statistics, `<TOK>` standing for its words.
  package private(set) var ofConcepts: [String] = []
  /// What has no concept: refining holds the fused model to what the base predicts for them.
  package var prior: [String] = []

  package init() {}

  /// Sorts lines by whether they have `<TOK>`; empty ones say nothing.
  ///
  /// - Parameter mistake: the error for a line, by its index and what is wrong.
  package init(_ lines: [String], mistake: (Int, String) -> FormatError) throws {
    for (index, line) in lines.enumerated() where !line.isEmpty {
      // A misspelt one, or the words of a concept, would quietly be a prompt of none.
      guard !line.replacing(ConceptPlaceholder.text, with: "").contains("<") else {
        throw mistake(
          index, "'\(line)': expected no '<' but in \(ConceptPlaceholder.text), which stands for the words of a concept")
      }
      if line.contains(ConceptPlaceholder.text) {
        ofConcepts.append(line)
      } else {
        prior.append(line)
      }
    }
  }
}
