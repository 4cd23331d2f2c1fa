/// How a command ends, as the shell sees it.
package enum ExitStatus: Int32, Sendable {
  case success = 0
  /// The work could not be done: a bad file, no memory, a full disk.
  case failure = 1
  /// The command line itself is wrong.
  case usage = 2
  /// Something was strictly forbidden: unmatched tensors, a budget exceeded.
  case strictness = 3
  /// Ctrl-C, SIGTERM or SIGHUP.
  case interrupted = 130
  /// Whoever read standard output has gone, as after `| head`.
  case closedPipe = 141
}

/// A failure that ends a command: one clear sentence and the exit status.
package struct CommandError: Error, Hashable, Sendable, CustomStringConvertible {
  package var status: ExitStatus
  package var message: String

  package init(_ status: ExitStatus, _ message: String) {
    self.status = status
    self.message = message
  }

  /// The command line is wrong.
  package static func usage(_ message: String) -> CommandError { CommandError(.usage, message) }

  /// The work could not be done.
  package static func failure(_ message: String) -> CommandError { CommandError(.failure, message) }

  /// Fails unless the number of an option is in a range.
  package static func check(_ option: String, _ value: Int, in range: ClosedRange<Int>) throws {
    guard !range.contains(value) else { return }
    throw CommandError.usage(
      "--\(option) \(value): expected a number from \(range.lowerBound) to \(range.upperBound)")
  }

  /// Fails for a number of an option that is below the least, or is none at all.
  package static func check(_ option: String, _ value: Double?, atLeast least: Double) throws {
    guard let value, !(value.isFinite && value >= least) else { return }
    throw CommandError.usage(
      "--\(option) \(value): expected a number, \(least == 0 ? "0" : "\(least)") or more")
  }

  /// The user pressed Ctrl-C.
  package static let interrupted = CommandError(.interrupted, "interrupted")

  /// Nobody reads standard output any more.
  package static let closedPipe = CommandError(.closedPipe, "standard output is closed")

  package var description: String { message }
}

/// An end that several processes come to together: one of them says why.
package protocol SharedEnd: Error {
  var status: ExitStatus { get }
  /// Whether this process is the one that says why.
  var isSpeaker: Bool { get }
}

extension ExitStatus {
  /// The status that an error of any library of mosc ends the command with.
  package init(_ error: any Error) {
    self = (error as? CommandError)?.status ?? (error as? any SharedEnd)?.status ?? .failure
  }
}
