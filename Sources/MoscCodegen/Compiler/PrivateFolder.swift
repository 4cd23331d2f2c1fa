import Foundation

/// A folder for what is executed or believed in later runs, where nobody else may write.
package struct PrivateFolder: Hashable, Sendable {
  package let url: URL

  package init(_ url: URL) { self.url = url }

  /// What cannot be done in the folder, in the system's words.
  package struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
    package var path: String
    package var reason: String

    package var description: String { "'\(path)' cannot be written: \(reason)" }
  }

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
  package func make() throws(Fault) {
    var place = url.standardizedFileURL
    var missing: [URL] = []
    var status = stat()
    while stat(place.path, &status) != 0, place.path != "/" {
      missing.append(place)
      place.deleteLastPathComponent()
    }
    for folder in missing.reversed() {
      guard mkdir(folder.path, 0o700) == 0 || errno == EEXIST else { throw failure() }
    }
    guard stat(url.path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw Fault(path: url.path, reason: "it is not a folder")
    }
  }

  /// The name under which a file is written before it gets its own.
  package func partName(_ name: String) -> String { "\(name).\(getpid()).\(Self.partSuffix)" }

  /// Writes a file of the folder, which is made if need be: whole, or not at all.
  package func write(_ data: Data, as name: String) throws(Fault) {
    try make()
    let part = url.appending(path: partName("\(name).\(UInt32.random(in: 0...UInt32.max))")).path
    let descriptor = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw failure() }
    let isWritten = data.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count, let base = bytes.baseAddress {
        let count = Foundation.write(descriptor, base + done, bytes.count - done)
        if count < 0, errno == EINTR { continue }
        if count <= 0 { return false }
        done += count
      }
      return true
    }
    let fault = failure()
    close(descriptor)
    guard isWritten else {
      unlink(part)
      throw fault
    }
    guard rename(part, url.appending(path: name).path) == 0 else {
      let fault = failure()
      unlink(part)
      throw fault
    }
  }

  private func failure() -> Fault { Fault(path: url.path, reason: String(cString: strerror(errno))) }

  private static let partSuffix = "part"

  /// Whether a name is that of an unfinished file, of this program or as Foundation writes it.
  package static func isUnfinished(_ name: String) -> Bool {
    name.hasSuffix(".\(partSuffix)") || name.hasPrefix(".dat.nosync")
  }

  /// Removes what processes left that were killed while they wrote.
  package func removeAbandoned() {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    where Self.isUnfinished(name) {
      let place = url.appending(path: name)
      let number = name.hasPrefix(".dat.nosync")
        ? Int32(name.dropFirst(".dat.nosync".count).prefix { $0 != "." }, radix: 16)
        : Int32(place.deletingPathExtension().pathExtension)
      if let number, number > 0, kill(number, 0) != 0, errno == ESRCH { unlink(place.path) }
    }
  }
}
