/// What is wrong with a prompt: what was read, where, and what is expected.
package struct PromptSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kinds of fault, by which recorded answers name theirs.
  package enum Kind: String, Hashable, Sendable {
    /// Something that should be a number is none.
    case value = "ValueError"
    /// A number is too large.
    case overflow = "OverflowError"
    /// Something that must be there is missing.
    case index = "IndexError"
    /// A size of zero.
    case division = "ZeroDivisionError"
  }

  package var kind: Kind
  package var description: String

  package init(_ kind: Kind, _ description: String) {
    (self.kind, self.description) = (kind, description)
  }
}
