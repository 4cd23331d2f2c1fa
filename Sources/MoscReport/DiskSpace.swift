import Foundation

/// The room that is left where results go.
package enum DiskSpace {
  /// Bytes that a user may still write into a folder; nil where the system does not say.
  package static func available(_ folder: URL) -> Int? {
    var status = statvfs()
    guard statvfs(folder.path, &status) == 0, status.f_blocks > 0 else { return nil }
    let (bytes, overflows) = Int(clamping: status.f_bavail)
      .multipliedReportingOverflow(by: Int(clamping: status.f_frsize))
    return overflows ? .max : bytes
  }

  /// Fails when less room is left than results will take.
  ///
  /// - Throws: `CommandError.failure` with both numbers.
  package static func check(_ folder: URL, needs bytes: Int, for what: String) throws {
    guard let left = available(folder), left < bytes else { return }
    throw CommandError.failure(
      "'\(folder.path)': \(what) take \(size(bytes)), but only \(size(left)) are free on the disk")
  }

  /// Bytes as people read them: `40 KiB`, `1.5 GiB`.
  package static func size(_ bytes: Int) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    var (value, unit) = (Double(bytes), 0)
    while value >= 1000, unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    return String(format: unit == 0 || value >= 10 ? "%.0f" : "%.1f", value) + " \(units[unit])"
  }
}
