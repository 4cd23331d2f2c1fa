/// An option of another program's command line, and what becomes of it here.
package struct ForeignOption: Sendable {
  /// The programs whose command lines are understood.
  package enum Program: String, CaseIterable, Sendable {
    case mixOfShow = "Mix-of-Show"
    case kohya = "kohya's sd-scripts"
    case diffusers = "diffusers' scripts"
  }

  /// How many values an option has.
  package enum Values: Sendable {
    case none, one, many
    /// A value, or nothing.
    case perhaps
  }

  /// What becomes of an option.
  package enum Fate: Sendable {
    /// It is an option of mosc by another name.
    case alias(String)
    /// Its value becomes other options; the text says which, for the table.
    case translated(String, @Sendable (_ values: [String]) throws -> Translation)
    /// Together with others it becomes an option.
    case part(String)
    /// Nothing has to be done for it here.
    case needless(String)
    /// What it asks for is not there; the values switch it off, so that nothing is asked for.
    case refused(String, unless: Set<String> = [])
  }

  /// Options of mosc in place of another one.
  package struct Translation: Sendable {
    package var arguments: [String] = []
    /// What the user should know.
    package var warning: String?

    package init(_ arguments: [String] = [], warning: String? = nil) {
      (self.arguments, self.warning) = (arguments, warning)
    }
  }

  package let program: Program
  /// The name without leading dashes, words separated by `_`.
  package let name: String
  package let values: Values
  package let fate: Fate

  init(_ program: Program, _ name: String, _ values: Values = .one, _ fate: Fate) {
    (self.program, self.name, self.values, self.fate) = (program, name, values, fate)
  }

  /// What the table says of it.
  package var outcome: (ours: String, what: String) {
    switch fate {
    case .alias(let name): (name, "the same")
    case .translated(let text, _): (text, "translated")
    case .part(let text): (text, "together with others")
    case .needless(let reason): ("", "no effect, said once: \(reason)")
    case .refused(let reason, let off):
      ("", "refused\(off.isEmpty ? "" : " unless \(off.sorted().joined(separator: ", "))"): \(reason)")
    }
  }
}

/// The options of other programs that a command understands.
package enum ForeignOptions {
  /// Those of a command, in the order of the table.
  package static func of(_ command: String) -> [ForeignOption] {
    switch command {
    case "train": training
    case "fuse": fusing
    case "sample": sampling
    default: []
    }
  }

  /// The commands that understand some.
  package static let commands = ["train", "fuse", "sample"]

  /// The table as Markdown, for docs/command-lines.md.
  package static var table: String {
    commands.map { command in
      let rows = of(command).map { option in
        let (ours, what) = option.outcome
        return "| \(option.program.rawValue) | `--\(option.name)` | "
          + "\(ours.isEmpty ? "" : "`\(ours)`") | \(what) |"
      }
      return (["## mosc \(command)", "", "| theirs | option | ours | what happens |", "|---|---|---|---|"]
        + rows).joined(separator: "\n")
    }.joined(separator: "\n\n") + "\n"
  }
}
