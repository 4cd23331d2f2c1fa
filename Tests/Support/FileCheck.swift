/// Compares a text with the checks written in comments of a test file: a subset of LLVM's
/// FileCheck.
///
/// Directives stand behind `//`: `CHECK:` finds its pattern after the last match, `CHECK-NEXT:` on
/// the very next line, `CHECK-SAME:` on the same line, `CHECK-NOT:` nowhere before the next match,
/// `CHECK-DAG:` in any order among its neighbours, and `CHECK-LABEL:` cuts text and checks in
/// sections. Patterns are literal but for `{{regex}}`, `[[NAME:regex]]` and `[[NAME]]`; blanks
/// match any blanks.
///
/// It fails closed: without a positive check, on an unknown directive, or on a check that any dump
/// satisfies, there is an error.
package struct FileCheck {
  /// What a check demands.
  enum Kind: String, CaseIterable {
    case plain = "CHECK"
    case next = "CHECK-NEXT"
    case same = "CHECK-SAME"
    case not = "CHECK-NOT"
    case label = "CHECK-LABEL"
    case dag = "CHECK-DAG"
  }

  struct Check {
    var kind: Kind
    var pattern: String
    var line: Int
  }

  /// What is wrong, with the line of the check.
  package struct Failure: Error, CustomStringConvertible {
    package var description: String
  }

  /// A place in the text: a line and a position in it.
  private struct Place: Comparable {
    var line: Int
    var column: Int

    static func < (a: Place, b: Place) -> Bool { (a.line, a.column) < (b.line, b.column) }
  }

  private struct Match {
    var start: Place
    var end: Place
  }

  private let checks: [Check]
  private let lines: [[Character]]
  private var captures: [String: String] = [:]

  /// Checks the text against the directives of the test file.
  package static func check(_ text: String, against file: String) throws {
    var checker = try FileCheck(text, file)
    try checker.run()
  }

  private init(_ text: String, _ file: String) throws {
    checks = try Self.parse(file)
    lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
      Array(Self.collapsed(String($0)))
    }
  }

  // MARK: Directives

  private static func parse(_ file: String) throws -> [Check] {
    var checks: [Check] = []
    let lines = file.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      guard let comment = line.range(of: "//"), line[comment.upperBound...].contains("CHECK") else {
        continue
      }
      let body = line[comment.upperBound...].drop { $0 == " " }
      let name = String(body.prefix { $0 != ":" })
      guard let kind = Kind(rawValue: name), body.count > name.count else {
        throw Failure(description: "line \(index + 1): unknown directive '\(body)'")
      }
      let pattern = collapsed(String(body.dropFirst(name.count + 1)))
      let trivial: Set = ["func", "kernel", "mosc", "mosc 1", "return", "}", "stage"]
      if pattern.isEmpty || (kind != .not && trivial.contains(pattern)) {
        throw Failure(description: "line \(index + 1): any output satisfies '\(pattern)'")
      }
      checks.append(Check(kind: kind, pattern: pattern, line: index + 1))
    }
    guard checks.contains(where: { $0.kind != .not }) else {
      throw Failure(description: "there is no positive check")
    }
    return checks
  }

  /// The text with outer blanks removed and inner runs of blanks made one.
  private static func collapsed(_ text: String) -> String {
    text.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
  }

  // MARK: Matching

  private mutating func run() throws {
    let end = Place(line: lines.count, column: 0)
    var sections: [(checks: [Check], range: Range<Place>)] = []
    var start = Place(line: 0, column: 0)
    var pending: [Check] = []
    for check in checks {
      if check.kind == .label {
        guard let match = try find(check, from: start, to: end) else { throw missing(check, start) }
        sections.append((pending, start..<match.start))
        (pending, start) = ([], match.end)
      } else {
        pending.append(check)
      }
    }
    sections.append((pending, start..<end))
    for section in sections { try run(section.checks, in: section.range) }
  }

  private mutating func run(_ checks: [Check], in range: Range<Place>) throws {
    var place = range.lowerBound
    var forbidden: [Check] = []
    var group: (start: Place, matches: [Match])?
    for check in checks {
      if check.kind != .dag, let dag = group {
        place = dag.matches.map(\.end).max() ?? place
        group = nil
      }
      switch check.kind {
      case .not:
        forbidden.append(check)
        continue
      case .dag:
        var dag = group ?? (place, [])
        var from = dag.start
        while true {
          guard let match = try find(check, from: from, to: range.upperBound) else {
            throw missing(check, dag.start)
          }
          if !dag.matches.contains(where: { $0.start < match.end && match.start < $0.end }) {
            dag.matches.append(match)
            break
          }
          from = match.end
        }
        if let first = dag.matches.map(\.start).min() {
          try refuse(&forbidden, from: dag.start, to: first)
        }
        group = dag
        continue
      case .plain, .next, .same, .label:
        break
      }
      var limit = range.upperBound
      var from = place
      if check.kind == .next {
        from = Place(line: place.line + 1, column: 0)
        limit = Place(line: place.line + 2, column: 0)
      } else if check.kind == .same {
        limit = Place(line: place.line + 1, column: 0)
      }
      guard let match = try find(check, from: from, to: min(limit, range.upperBound)) else {
        throw missing(check, from)
      }
      try refuse(&forbidden, from: place, to: match.start)
      place = match.end
    }
    if let dag = group { place = dag.matches.map(\.end).max() ?? place }
    try refuse(&forbidden, from: place, to: range.upperBound)
  }

  private mutating func refuse(_ checks: inout [Check], from: Place, to: Place) throws {
    for check in checks {
      let saved = captures
      if let match = try find(check, from: from, to: to) {
        throw Failure(
          description: "line \(check.line): forbidden '\(check.pattern)' found in "
            + "'\(String(lines[match.start.line]))'")
      }
      captures = saved
    }
    checks = []
  }

  private func missing(_ check: Check, _ from: Place) -> Failure {
    let near = lines[min(from.line, lines.count)...].prefix(3).map { "  | " + String($0) }
    return Failure(
      description: "line \(check.line): \(check.kind.rawValue) '\(check.pattern)' not found from\n"
        + near.joined(separator: "\n"))
  }

  /// The first match between two places; its captures are remembered.
  private mutating func find(_ check: Check, from: Place, to: Place) throws -> Match? {
    let (regex, names) = try compile(check)
    var line = from.line
    while line < lines.count, line <= to.line {
      let start = line == from.line ? min(from.column, lines[line].count) : 0
      let stop = line == to.line ? min(to.column, lines[line].count) : lines[line].count
      if start <= stop, let found = try match(regex, names, lines[line][start..<stop], line) {
        return found
      }
      line += 1
    }
    return nil
  }

  private mutating func match(
    _ regex: Regex<AnyRegexOutput>, _ names: [String], _ slice: ArraySlice<Character>, _ line: Int
  ) throws -> Match? {
    let text = String(slice)
    guard let found = try regex.firstMatch(in: text) else { return nil }
    for name in names {
      if let capture = found.output[name]?.substring { captures[name] = String(capture) }
    }
    let lower = text.distance(from: text.startIndex, to: found.range.lowerBound)
    let upper = text.distance(from: text.startIndex, to: found.range.upperBound)
    return Match(
      start: Place(line: line, column: slice.startIndex + lower),
      end: Place(line: line, column: slice.startIndex + upper))
  }

  /// The pattern as a regular expression, and the names it captures.
  private func compile(_ check: Check) throws -> (Regex<AnyRegexOutput>, [String]) {
    var source = ""
    var names: [String] = []
    var rest = check.pattern[...]
    while !rest.isEmpty {
      if rest.hasPrefix("{{"), let close = rest.range(of: "}}") {
        source += "(?:\(rest[rest.index(rest.startIndex, offsetBy: 2)..<close.lowerBound]))"
        rest = rest[close.upperBound...]
      } else if rest.hasPrefix("[["), let close = rest.range(of: "]]") {
        let inner = rest[rest.index(rest.startIndex, offsetBy: 2)..<close.lowerBound]
        let parts = inner.split(separator: ":", maxSplits: 1)
        let name = String(parts[0])
        if parts.count == 2 {
          source += "(?<\(name)>\(parts[1]))"
          names.append(name)
        } else if let value = captures[name] {
          source += Self.escaped(value)
        } else {
          throw Failure(description: "line \(check.line): '\(name)' was never captured")
        }
        rest = rest[close.upperBound...]
      } else {
        source += Self.escaped(String(rest.removeFirst()))
      }
    }
    do {
      return (try Regex(source), names)
    } catch {
      throw Failure(description: "line \(check.line): bad pattern '\(check.pattern)': \(error)")
    }
  }

  private static func escaped(_ text: String) -> String {
    let special: Set<Character> = Set(#"\^$.|?*+()[]{}/-"#)
    return text.map { special.contains($0) ? "\\\($0)" : "\($0)" }.joined()
  }
}

extension StringProtocol where Self: RangeReplaceableCollection {
  /// The first place of a text.
  fileprivate func range(of text: String) -> Range<Index>? {
    var index = startIndex
    while index < endIndex {
      if self[index...].hasPrefix(text) {
        return index..<self.index(index, offsetBy: text.count)
      }
      index = self.index(after: index)
    }
    return nil
  }
}
