/// What weights in a prompt do to the states of its tokens.
package enum Emphasis: String, CaseIterable, Hashable, Codable, Sendable {
  /// Multiplied, then scaled so that the mean over all states is what it was.
  case original
  /// Multiplied, and no more.
  case noNorm = "no-norm"
  /// Read, and without effect.
  case ignore
  /// Not read: brackets are text.
  case none

  /// Reads a name as users and pictures spell it; nil for anything else.
  package init?(spelling: String) {
    let plain = spelling.lowercased().replacing(/[ _-]/, with: "")
    guard
      let found = Self.allCases.first(where: {
        $0.rawValue.replacing("-", with: "") == plain
      })
    else { return nil }
    self = found
  }

  /// The name that pictures carry.
  package var title: String {
    switch self {
    case .original: "Original"
    case .noNorm: "No norm"
    case .ignore: "Ignore"
    case .none: "None"
    }
  }

  /// The stretches of a text that this mode sees.
  ///
  /// - Throws: `PromptSyntaxError` for a weight that is no number.
  package func texts(_ prompt: String) throws(PromptSyntaxError) -> [WeightedText] {
    self == .none ? PromptAttention.unread(prompt) : try PromptAttention.parse(prompt)
  }

  /// Applies weights to states `[tokens,width]`; the mean is over all of them.
  package func apply<Number: BinaryFloatingPoint>(
    _ weights: [Double], to states: inout [Number]
  ) {
    guard self == .original || self == .noNorm, !weights.isEmpty,
      weights.contains(where: { $0 != 1 })
    else { return }
    let width = states.count / weights.count
    let before = self == .original ? Self.mean(states) : 0
    for (token, weight) in weights.enumerated() where weight != 1 {
      for place in token * width..<(token + 1) * width { states[place] *= Number(weight) }
    }
    guard self == .original else { return }
    let ratio = Number(before / Self.mean(states))
    // A mean of 0 cannot be restored.
    guard ratio.isFinite else { return }
    for place in states.indices { states[place] *= ratio }
  }

  static func mean(_ values: [some BinaryFloatingPoint]) -> Double {
    values.reduce(0) { $0 + Double($1) } / Double(max(values.count, 1))
  }
}
