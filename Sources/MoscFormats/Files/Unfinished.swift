import Foundation
import Synchronization

/// Files and folders that are being written under a name of their own, `.mosc-PROCESS-NUMBER.tmp`.
///
/// What a process leaves behind that is killed goes away when another writes into the same folder.
package enum Unfinished {
  private static let swept = Mutex<Set<String>>([])

  /// A new name in a folder; what dead processes left there is removed, once per run.
  package static func place(in folder: URL) -> URL {
    let isNew = swept.withLock { $0.insert(folder.path).inserted }
    if isNew { removeDead(in: folder) }
    return folder.appending(path: ".mosc-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).tmp")
  }

  /// Whether a name is one of these.
  package static func isName(_ name: String) -> Bool { process(name) != nil }

  /// Keeps what is open from being taken for abandoned.
  ///
  /// Processes of another container on the same disk cannot be seen, but their locks can.
  package static func claim(_ descriptor: Int32) { flock(descriptor, LOCK_EX | LOCK_NB) }

  /// Removes what was left in a folder by processes that are gone.
  package static func removeDead(in folder: URL) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    for name in names {
      guard let process = process(name), process != getpid(), kill(process, 0) != 0, errno == ESRCH
      else { continue }
      let place = folder.appending(path: name)
      let descriptor = open(place.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
      guard descriptor >= 0 else { continue }
      defer { close(descriptor) }
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
        try? FileManager.default.removeItem(at: place)
      }
    }
  }

  /// The process that a name names.
  private static func process(_ name: String) -> pid_t? {
    guard name.hasPrefix(".mosc-"), name.hasSuffix(".tmp") else { return nil }
    let numbers = name.dropFirst(".mosc-".count).dropLast(".tmp".count).split(
      separator: "-", omittingEmptySubsequences: false)
    guard numbers.count == 2, UInt32(numbers[1]) != nil, let process = pid_t(numbers[0]), process > 0
    else { return nil }
    return process
  }
}
