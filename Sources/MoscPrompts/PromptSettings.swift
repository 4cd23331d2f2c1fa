/// How the prompts of a run are read.
package struct PromptSettings: Hashable, Codable, Sendable {
  /// What characters in prompts mean.
  package enum Syntax: String, CaseIterable, Hashable, Codable, Sendable {
    /// The language of the A1111 web UI.
    case a1111
    /// Nothing: every character is text, and what is too long is cut.
    case plain
  }

  /// nil for what the program that is followed reads, else A1111's.
  package var syntax: Syntax?
  /// What weights do.
  package var emphasis = Emphasis.original
  /// How far back a comma may be at which a full chunk is cut.
  package var commaBacktrack = PromptChunks.Rules().commaBacktrack
  /// Whether schedules count as before version 1.6 of the web UI.
  package var usesOldTiming = false
  /// A `styles.csv`, and the names of the styles that are added to all prompts.
  package var stylesFile: String?
  package var styles: [String] = []
  /// The folder of `__file__`.
  package var wildcardFolder: String?

  package init() {}
}

/// What a prompt says at every step: parts that guide together, each with a schedule.
package struct PromptGuide: Hashable, Sendable {
  /// A part.
  package struct Part: Hashable, Sendable {
    package var schedule: PromptSchedule
    /// How strongly the part guides.
    package var weight: Double
  }

  package let parts: [Part]

  /// Reads a prompt without adapter tags.
  ///
  /// - Parameter composes: whether `AND` and a weight at the end are read, as in positive prompts.
  /// - Throws: `PromptSyntaxError` for a step or weight that cannot be read.
  package init(
    _ text: String, _ syntax: PromptSettings.Syntax, _ timing: PromptSchedule.Timing,
    composes: Bool
  ) throws(PromptSyntaxError) {
    guard syntax == .a1111 else {
      let schedule = PromptSchedule([PromptSchedule.Entry(end: timing.count, text)])
      parts = [Part(schedule: schedule, weight: 1)]
      return
    }
    let composition = composes ? PromptComposition(text).parts : [.init(text, 1)]
    var parts: [Part] = []
    for part in composition {
      parts.append(Part(schedule: try PromptSchedule(part.text, timing), weight: part.weight))
    }
    self.parts = parts
  }
}
