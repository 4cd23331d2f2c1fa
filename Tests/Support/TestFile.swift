/// A file under `Tests/Files`: its kind of test, and the programs that are tested.
///
///     //! test: KIND --FLAG VALUE …
///     mosc 1
///     …
///     //! next: what the second program is about
///     mosc 1
///     …
///
/// The flags hold for every program.
package struct TestFile: Sendable {
  /// What is wrong with a file, or with what was made of it.
  package struct Failure: Error, CustomStringConvertible {
    package let description: String

    /// A failure of the given description.
    package init(_ description: String) { self.description = description }
  }

  /// A program that demands something else than what was found, though the demand could be told from
  /// what was found.
  package struct Outdated: Error {
    /// What disagrees.
    package let problem: String
    /// The program's lines with the demand that holds.
    package let lines: [Substring]

    /// The problem and what would be right.
    package init(_ problem: String, lines: [Substring]) {
      (self.problem, self.lines) = (problem, lines)
    }
  }

  /// One program of a file, from its first line or its separator to the next.
  package struct Program: Sendable {
    package let lines: [Substring]
    /// The number of lines before it.
    package let offset: Int

    /// The text, below as many empty lines as there are lines before it in the file: whatever reads
    /// it counts the lines of the file.
    package var text: String {
      String(repeating: "\n", count: offset) + lines.joined(separator: "\n")
    }
  }

  package let path: String
  package let kind: String
  private let flags: [String: String]
  package let programs: [Program]

  private static let separator = "//! next:"

  /// Reads a file, given the flags that each kind takes; each flag has a value.
  package init(_ path: String, _ text: String, flags known: [String: Set<String>]) throws {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    var words = lines[0].split(separator: " ").map(String.init)[...]
    guard words.popFirst() == "//!", words.popFirst() == "test:", let kind = words.popFirst() else {
      throw Failure("\(path):1: expected '//! test: KIND', found '\(lines[0])'")
    }
    guard let known = known[kind] else { throw Failure("\(path):1: there is no kind '\(kind)'") }
    var flags: [String: String] = [:]
    while let flag = words.popFirst() {
      guard known.contains(flag), let value = words.popFirst() else {
        throw Failure("\(path):1: '\(flag)' is no flag with a value of '\(kind)'")
      }
      flags[flag] = value
    }
    (self.path, self.kind, self.flags) = (path, kind, flags)
    let starts = [0] + lines.indices.filter { lines[$0].hasPrefix(Self.separator) }
    programs = zip(starts, starts.dropFirst() + [lines.count]).map { start, end in
      Program(lines: Array(lines[start..<end]), offset: start)
    }
  }

  /// The value of a flag, or nil without the flag.
  package func value<T>(of flag: String, _ read: (String) -> T?) throws -> T? {
    guard let text = flags[flag] else { return nil }
    guard let value = read(text) else {
      throw Failure("\(path):1: '\(text)' is no value of '\(flag)'")
    }
    return value
  }

  /// Checks every program and returns the text of the file, with new demands if it is to be blessed.
  ///
  /// - Throws: what a check throws; a `Failure` when a demand is outdated and not to be blessed.
  package func check(blessing: Bool, _ check: (Program) throws -> Void) throws -> String {
    let parts = try programs.map { program in
      do {
        try check(program)
        return program.lines
      } catch let outdated as Outdated where blessing {
        return outdated.lines
      } catch let outdated as Outdated {
        throw Failure("\(path): \(outdated.problem)\n(MOSC_BLESS=1 writes into the file what was found)")
      }
    }
    return parts.flatMap { $0 }.joined(separator: "\n")
  }

  /// Whether tests are to write what they find into their files: `MOSC_BLESS=1`, but never under CI,
  /// where nobody would read it.
  package static func isBlessing(_ environment: [String: String]) throws -> Bool {
    func isSet(_ name: String) -> Bool { !["", "0", "false"].contains(environment[name] ?? "") }
    if isSet("MOSC_BLESS"), isSet("CI") {
      throw Failure("MOSC_BLESS under CI: bless where you can read what changed")
    }
    return isSet("MOSC_BLESS")
  }
}
