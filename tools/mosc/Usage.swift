import ArgumentParser
import Foundation
import MoscFormats
import MoscReport

/// Errors of the command line in the one style of all errors: what is wrong, then one line of usage.
enum Usage {
  /// The command that a command line names, and what `mosc help` calls it.
  private static func command(_ arguments: [String]) -> (type: any ParsableCommand.Type, names: [String]) {
    var type: any ParsableCommand.Type = Mosc.self
    var names: [String] = []
    for argument in arguments {
      guard let next = type.configuration.subcommands.first(where: { name($0) == argument }) else { break }
      (type, names) = (next, names + [argument])
    }
    return (type, names)
  }

  private static func name(_ type: any ParsableCommand.Type) -> String {
    type.configuration.commandName ?? "\(type)".lowercased()
  }

  /// The line of usage of the command that a command line names.
  static func line(_ arguments: [String]) -> String {
    let names = command(arguments).names
    let call = (["mosc"] + names).joined(separator: " ")
    let help = (["mosc", "help"] + names).joined(separator: " ")
    return names.isEmpty ? "usage: mosc COMMAND …; '\(help)' lists the commands"
      : "usage: \(call) …; '\(help)' lists the options"
  }

  /// What is wrong with a command line that names no command that there is; nil for others.
  static func unknownCommand(_ arguments: [String]) -> String? {
    var arguments = arguments[...]
    if arguments.first == "help" { arguments = arguments.dropFirst() }
    var type: any ParsableCommand.Type = Mosc.self
    // Options of commands may come before arguments of theirs that look like commands.
    for argument in arguments.prefix(while: { !$0.hasPrefix("-") }) {
      let known = type.configuration.subcommands
      if known.isEmpty { return nil }
      if let next = known.first(where: { name($0) == argument }) {
        type = next
      } else {
        let names = known.map(name)
        let nearest = NearestName.suggest(argument, in: names + ["help"])
        return "unknown command '\(argument)'"
          + (nearest.map { "; did you mean '\($0)'?" } ?? "; there are \(names.joined(separator: ", "))")
      }
    }
    return nil
  }

  /// A message of the argument parser, with suggestions of our own.
  static func message(_ error: any Error, _ arguments: [String]) -> String {
    var text = Mosc.message(for: error)
    if let end = text.range(of: ". Did you mean '") { text = String(text[..<end.lowerBound]) }
    if let found = text.firstMatch(of: /^Unknown option '(-[^']*)'/) {
      let option = String(found.1)
      text = "unknown option '\(option)'" + (suggestion(option, arguments).map { "; did you mean \($0)?" } ?? "")
    }
    // Sentences of the parser begin like sentences.
    if let first = text.first, first.isUppercase, text.dropFirst().first?.isLowercase == true {
      text = first.lowercased() + text.dropFirst()
    }
    return text.hasSuffix(".") ? String(text.dropLast()) : text
  }

  /// The options that a user may have meant, in quotes: those that begin so, if they are few, or one a few letters away.
  private static func suggestion(_ option: String, _ arguments: [String]) -> String? {
    let help = Mosc.helpMessage(for: command(arguments).type, includeHidden: true)
    let options = help.split(separator: "\n").filter { $0.hasPrefix("  -") }
      .flatMap { $0.matches(of: /(?:^|[ \/])--([a-zA-Z0-9_-]+)/).map { String($0.1) } }
    let name = String(option.drop { $0 == "-" }.prefix { $0 != "=" })
    let begins = Set(options.filter { name.count >= 3 && $0.hasPrefix(name) }).sorted()
    let found = (1...3).contains(begins.count) ? begins : NearestName.suggest(name, in: options).map { [$0] } ?? []
    return found.isEmpty ? nil : found.map { "'--\($0)'" }.joined(separator: " or ")
  }
}
