/// What stands for the words of a concept in texts that are for any concept.
package enum ConceptPlaceholder {
  /// As Mix-of-Show's captions spell it.
  package static let text = "<TOK>"
}
