import Foundation
import Synchronization

/// Ctrl-C as a flag that long work looks at between steps, so that no file is left half written.
package enum Interruption {
  private static let flag = Atomic<Bool>(false)

  /// Whether Ctrl-C was pressed, or the process is asked to end otherwise.
  package static var isRequested: Bool { flag.load(ordering: .relaxed) }

  /// Ends the work when Ctrl-C was pressed.
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
