import Foundation
import MoscFormats
import MoscReport

extension Cluster {
  /// What a process says: the first one what a single process would, the others what nobody else can know.
  package func reporter(_ reporter: Reporter) -> Reporter { isFirst ? reporter : reporter.quiet }
}

/// A folder for files that nobody reads; it goes with its owner.
package final class ScratchFolder: Sendable {
  package let url: URL

  package init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "mosc-follower-\(UUID().uuidString)")
    try makeFolder(url)
  }

  deinit { try? FileManager.default.removeItem(at: url) }
}
