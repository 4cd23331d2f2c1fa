import Foundation
import Synchronization

/// Ctrl-C as a flag that long work looks at between steps, so that no file is left half written.
package enum Interruption {
  /// The signal that came; 0 for none.
  private static let signalNumber = Atomic<Int32>(0)

  /// Whether Ctrl-C was pressed, or the process is asked to end otherwise.
  package static var isRequested: Bool { signalNumber.load(ordering: .relaxed) != 0 }

  /// The exit status of a command that was interrupted: 128 and the number of the signal.
  package static var status: Int32 {
    let number = signalNumber.load(ordering: .relaxed)
    return number == 0 ? ExitStatus.interrupted.rawValue : 128 + number
  }

  /// Ends the work when Ctrl-C was pressed.
  package static func check() throws {
    if isRequested { throw CommandError.interrupted }
  }

  /// Starts listening; the second Ctrl-C ends the process at once.
  package static func listen() {
    let handler: @convention(c) (Int32) -> Void = { number in
      if Interruption.signalNumber.exchange(number, ordering: .relaxed) != 0 { _exit(128 + number) }
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
