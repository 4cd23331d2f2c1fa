import MoscReport

/// Why a process cannot go on, as it tells another.
struct Failure: Hashable, Sendable {
  let status: ExitStatus
  let message: String

  init(_ status: ExitStatus, _ message: String) { (self.status, self.message) = (status, message) }

  init(_ error: any Error) { self.init(ExitStatus(error), String(describing: error)) }

  /// Reads the text of a message; nil for one without a failure.
  init?(_ text: String) {
    let parts = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let number = Int32(parts[0]), let status = ExitStatus(rawValue: number) else { return nil }
    self.init(status, String(parts[1]))
  }

  /// The text of a message.
  var text: String { "\(status.rawValue)\n\(message)" }

  /// The same with the process that it happened to.
  func saidBy(_ rank: Int) -> Failure { Failure(status, "rank \(rank): \(message)") }
}
