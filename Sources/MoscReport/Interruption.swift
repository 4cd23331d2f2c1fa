import Foundation
import Synchronization

/// Whether a piece of work, one of several that a process does, is still wanted.
package final class CancellationToken: Sendable {
  private let flag = Atomic<Bool>(false)

  package init() {}

  package var isCancelled: Bool { flag.load(ordering: .relaxed) }

  /// Says that the work is not wanted any more; it ends as Ctrl-C would end it.
  package func cancel() { flag.store(true, ordering: .relaxed) }
}

/// Ctrl-C as a flag that long work looks at between steps, so that no file is left half written.
///
/// Work that can be cancelled by itself has a token besides.
package enum Interruption {
  private static let flag = Atomic<Bool>(false)
  private static let token = TaskLocal<CancellationToken?>(wrappedValue: nil)

  /// Whether Ctrl-C was pressed, or the process is asked to end otherwise.
  package static var endsProcess: Bool { flag.load(ordering: .relaxed) }

  /// Whether the work of this thread is to end.
  package static var isRequested: Bool { endsProcess || token.get()?.isCancelled == true }

  /// The same for this thread's work where other threads help with it.
  package static var question: @Sendable () -> Bool {
    let token = token.get()
    return { endsProcess || token?.isCancelled == true }
  }

  /// Does work that a token can end, on this thread.
  package static func heeding<Result>(
    _ token: CancellationToken, _ work: () throws -> Result
  ) rethrows -> Result {
    try Self.token.withValue(token, operation: work)
  }

  /// Ends the work when Ctrl-C was pressed or its token says so.
  package static func check() throws {
    if isRequested { throw CommandError.interrupted }
  }

  /// Starts listening; the second Ctrl-C ends the process at once.
  package static func listen() {
    let handler: @convention(c) (Int32) -> Void = { _ in
      if Interruption.flag.exchange(true, ordering: .relaxed) { _exit(ExitStatus.interrupted.rawValue) }
    }
    // A parent may have left the signal blocked.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGHUP)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    signal(SIGINT, handler)
    signal(SIGTERM, handler)
    // The terminal is gone; what runs saves and ends, unless it was started with nohup.
    if unsafeBitCast(signal(SIGHUP, handler), to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
      signal(SIGHUP, SIG_IGN)
    }
    // A closed pipe and a file that would become too large are reported by the failing write.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
  }
}
