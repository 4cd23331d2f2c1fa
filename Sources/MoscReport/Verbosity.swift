/// Which messages go to standard error.
package enum Verbosity: Int, Comparable, Hashable, Sendable {
  /// Errors alone, warnings too, progress too, and so on.
  case quiet, warnings, normal, verbose, debug

  package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// How messages are written.
package enum LogFormat: String, CaseIterable, Hashable, Sendable {
  case text, json
}
