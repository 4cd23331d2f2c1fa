import Foundation

/// A folder for what is executed or believed in later runs, where nobody else may write.
package struct PrivateFolder: Hashable, Sendable {
  package let url: URL

  package init(_ url: URL) { self.url = url }

  /// Why nothing in the folder can be trusted; nil when it can, or when it is not there yet.
  package var fault: String? {
    var status = stat()
    guard stat(url.path, &status) == 0 else { return nil }
    guard status.st_mode & S_IFMT == S_IFDIR else { return "'\(url.path)' is not a folder" }
    guard status.st_uid == geteuid() else { return "'\(url.path)' belongs to another user" }
    guard status.st_mode & (S_IWGRP | S_IWOTH) == 0 else {
      return "others may write to '\(url.path)' (mode \(String(status.st_mode & 0o777, radix: 8)); "
        + "chmod go-w it)"
    }
    return nil
  }

  /// Makes the folder, for its owner alone, with the folders on the way.
  package func make() throws {
    try FileManager.default.createDirectory(
      at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
  }
}
