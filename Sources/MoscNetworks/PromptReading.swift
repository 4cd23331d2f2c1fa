import MoscPrompts

/// How the text of a prompt becomes tokens and states.
package enum PromptReading: Hashable, Sendable {
  /// Words alone, cut at the length of the text encoder.
  case plain
  /// Weights, breaks and chunks.
  case weighted(Emphasis, commaBacktrack: Int)

  /// What settings ask for.
  package init(_ settings: PromptSettings, _ syntax: PromptSettings.Syntax) {
    self =
      switch syntax {
      case .plain: .plain
      case .a1111: .weighted(settings.emphasis, commaBacktrack: settings.commaBacktrack)
      }
  }

  /// What weights do to states.
  var emphasis: Emphasis {
    switch self {
    case .plain: .none
    case .weighted(let emphasis, _): emphasis
    }
  }
}

/// What the text encoder reads at once: the tokens of one chunk for each cross-attention layer, one
/// row if all are equal, and their weights.
struct PromptPiece: Hashable {
  var rows: [[Int32]]
  var weights: [Double]
}
