import CMapping
import Foundation

/// Writes whole files so that a reader sees the old content or the new one, never a part.
package enum AtomicFile {
  /// Writes through a temporary file in the same folder, synchronises it and renames it.
  ///
  /// The body gets the open file; when it throws, nothing is left behind. A file that is replaced
  /// leaves its permissions to the new one. A link stays, and what it leads to is replaced; a device or
  /// pipe is written to as it is.
  ///
  /// - Parameter mayReplace: whether what has the name already gives way.
  /// - Throws: `NameTaken` when it does not.
  package static func write(
    to url: URL, replacing mayReplace: Bool = true, _ body: (FileHandle) throws -> Void
  ) throws {
    let url = url.resolvingSymlinksInPath()
    var status = stat()
    let replaces = stat(url.path, &status) == 0
    if replaces, !mayReplace { throw NameTaken(path: url.path) }
    if replaces, status.st_mode & S_IFMT != S_IFREG { return try stream(to: url, body) }
    let mode = status.st_mode & 0o777
    let temporary = Unfinished.place(in: url.deletingLastPathComponent())
    let descriptor = open(
      temporary.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, replaces ? mode : 0o644)
    guard descriptor >= 0 else { throw failure(url) }
    Unfinished.claim(descriptor)
    do {
      // The process's mask may have taken away what the old file allowed.
      if replaces, fchmod(descriptor, mode) != 0 { throw failure(url) }
      try body(FileHandle(fileDescriptor: descriptor, closeOnDealloc: false))
      guard fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS else { throw failure(url) }
      guard (mayReplace ? rename : place_new)(temporary.path, url.path) == 0 else {
        // Another process was faster.
        if !mayReplace, errno == EEXIST { throw NameTaken(path: url.path) }
        throw failure(url)
      }
    } catch {
      close(descriptor)
      unlink(temporary.path)
      throw named(error, url)
    }
    // What is on the disk is known since fsync, so closing can no longer fail for want of room.
    close(descriptor)
    synchronise(folder: url.deletingLastPathComponent())
  }

  /// Writes the bytes.
  package static func write(_ data: Data, to url: URL, replacing mayReplace: Bool = true) throws {
    try write(to: url, replacing: mayReplace) { try $0.write(contentsOf: data) }
  }

  /// Something has the name that a new file was to get.
  package struct NameTaken: Error, Hashable, Sendable, CustomStringConvertible {
    package let path: String

    package var description: String { "'\(path)' is there already" }
  }

  /// Copies the content of a file, a part at a time; owner and permissions are those of a new file.
  package static func copy(_ source: URL, to url: URL) throws {
    let descriptor = open(source.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw FormatError(source.path, nil, "cannot be opened: \(SystemMessage.text())")
    }
    let input = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    try write(to: url) { output in
      while true {
        let part: Data
        do {
          part = try input.read(upToCount: 1 << 22) ?? Data()
        } catch {
          throw FormatError(source.path, nil, "cannot be read: \(error.plainDescription)")
        }
        if part.isEmpty { return }
        try output.write(contentsOf: part)
      }
    }
  }

  /// Writes to something that is not a file and must not be replaced by one.
  private static func stream(to url: URL, _ body: (FileHandle) throws -> Void) throws {
    let descriptor = open(url.path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(url) }
    defer { close(descriptor) }
    do {
      try body(FileHandle(fileDescriptor: descriptor, closeOnDealloc: false))
    } catch {
      throw named(error, url)
    }
  }

  /// Without it a power cut may bring an old name back.
  package static func synchronise(folder: URL) {
    let descriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }

  /// Why the last call of the system failed.
  private static func failure(_ url: URL) -> FormatError {
    FormatError(url.path, nil, "cannot be written: \(SystemMessage.text())")
  }

  /// An error of Foundation with the file's name; the others bring their own.
  private static func named(_ error: any Error, _ url: URL) -> any Error {
    guard error.isOfFoundation else { return error }
    return FormatError(url.path, nil, "cannot be written: \(error.plainDescription)")
  }
}
