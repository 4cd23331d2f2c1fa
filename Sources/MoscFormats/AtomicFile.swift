import Foundation

/// Writes whole files so that a reader sees the old content or the new one, never a part.
package enum AtomicFile {
  /// Writes through a temporary file in the same folder, synchronises it and renames it.
  ///
  /// The body gets the open file; when it throws, nothing is left behind. A link stays, and what it
  /// leads to is replaced; a device or pipe is written to as it is.
  package static func write(
    to url: URL, _ body: (FileHandle) throws -> Void
  ) throws {
    let url = url.resolvingSymlinksInPath()
    var status = stat()
    if stat(url.path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      return try stream(to: url, body)
    }
    let folder = url.deletingLastPathComponent()
    let temporary = folder.appending(
      path: ".mosc-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).tmp")
    let descriptor = open(temporary.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw FormatError(url.path, nil, "cannot be written: \(String(cString: strerror(errno)))")
    }
    let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
    do {
      try body(handle)
      guard fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS else {
        throw FormatError(url.path, nil, "cannot be written: \(String(cString: strerror(errno)))")
      }
    } catch {
      close(descriptor)
      unlink(temporary.path)
      if error is FormatError { throw error }
      throw FormatError(url.path, nil, "cannot be written: \(error.localizedDescription)")
    }
    guard close(descriptor) == 0, rename(temporary.path, url.path) == 0 else {
      let reason = String(cString: strerror(errno))
      unlink(temporary.path)
      throw FormatError(url.path, nil, "cannot be written: \(reason)")
    }
  }

  /// Writes to something that is not a file and must not be replaced by one.
  private static func stream(to url: URL, _ body: (FileHandle) throws -> Void) throws {
    let descriptor = open(url.path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw FormatError(url.path, nil, "cannot be written: \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    try body(FileHandle(fileDescriptor: descriptor, closeOnDealloc: false))
  }

  /// Writes the bytes.
  package static func write(_ data: Data, to url: URL) throws {
    try write(to: url) { try $0.write(contentsOf: data) }
  }
}
