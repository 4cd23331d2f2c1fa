import ArgumentParser
import Foundation
import MoscDriver

extension ParsableCommand {
  /// The options of the command, as its help lists them.
  static var listedOptions: [CommandOption] {
    Mosc.helpMessage(for: Self.self, includeHidden: true, columns: 400).split(separator: "\n")
      .filter { $0.hasPrefix("  -") }
      .map { line in
        // Names, and the name of a value where there is one: `-p, --prompt <prompt>`.
        let head = line.prefix(upTo: line.range(of: "   ")?.lowerBound ?? line.endIndex)
        let names = head.matches(of: /(?:^|[ ,\/])(--?[a-zA-Z][a-zA-Z0-9_-]*)/).map { String($0.1) }
        return CommandOption(names: names, takesValue: head.contains("<"))
      }
  }
}
