extension StringProtocol {
  /// The lines of a text as most programs count them: `\n`, `\r\n` and `\r` end them, and nothing else does.
  ///
  /// `Character.isNewline` would cut at vertical tabs and at U+2028, too, which stand inside captions.
  package var textLines: [SubSequence] {
    split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" || $0 == "\r" }
  }
}
