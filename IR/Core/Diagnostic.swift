/// A place in a source text; lines and columns count from 1.
package struct SourceLocation: Hashable, Sendable {
  package var file: String
  package var line: Int
  package var column: Int

  package init(file: String, line: Int, column: Int) {
    self.file = file
    self.line = line
    self.column = column
  }
}

/// How grave a diagnostic is.
package enum Severity: String, Hashable, Sendable {
  case error, warning, note, remark
}

/// A message about a program: a stable id, what was found, what was expected, and where.
package struct Diagnostic: Error, Hashable, Sendable {
  /// A stable identifier such as `group-norm.groups`.
  package var id: String
  package var severity: Severity
  /// Lower case, no final stop, with both numbers that disagree.
  package var message: String
  package var location: SourceLocation?
  /// The offending line as text, when known.
  package var sourceLine: String?
  /// The number of columns the caret line covers.
  package var length: Int
  package var notes: [String]

  package init(
    _ id: String, _ message: String, severity: Severity = .error,
    location: SourceLocation? = nil, sourceLine: String? = nil, length: Int = 1,
    notes: [String] = []
  ) {
    self.id = id
    self.severity = severity
    self.message = message
    self.location = location
    self.sourceLine = sourceLine
    self.length = length
    self.notes = notes
  }
}

extension Diagnostic: CustomStringConvertible {
  /// The message with place, source line and caret, as compilers print it.
  package var description: String {
    var text = ""
    if let location { text += "\(location.file):\(location.line):\(location.column): " }
    text += "\(severity.rawValue): \(message) [\(id)]"
    if let sourceLine {
      text += "\n  \(sourceLine)"
      if let location {
        let indent = String(repeating: " ", count: max(0, location.column - 1))
        text += "\n  \(indent)^" + String(repeating: "~", count: max(0, length - 1))
      }
    }
    for note in notes { text += "\n  note: \(note)" }
    return text
  }
}

/// Several diagnostics thrown together.
package struct Diagnostics: Error, Sendable, CustomStringConvertible {
  package var list: [Diagnostic]

  package init(_ list: [Diagnostic]) { self.list = list }

  package var description: String {
    let shown = list.prefix(20).map(\.description).joined(separator: "\n")
    return list.count > 20 ? shown + "\n… and \(list.count - 20) more" : shown
  }
}

/// What an op finds wrong with its operands or attributes, before it is known where it stands.
package struct OpError: Error, Hashable, Sendable {
  package var id: String
  package var message: String

  package init(_ id: String, _ message: String) {
    self.id = id
    self.message = message
  }
}
