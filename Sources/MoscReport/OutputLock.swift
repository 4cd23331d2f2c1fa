import Foundation
import MoscFormats

/// A lock beside an output, `.NAME.lock`, so that no two runs write one result.
///
/// The kernel lets go of it however the process ends; the file says which process it is.
package enum OutputLock {
  /// Does some work while nobody else may write the output.
  ///
  /// - Throws: `CommandError.failure` when another run holds the lock.
  @discardableResult package static func holding<Result>(
    _ output: URL, _ reporter: Reporter, _ body: () throws -> Result
  ) throws -> Result {
    let file = place(of: output)
    let descriptor = try take(file, for: output)
    if descriptor == nil {
      reporter.warn("the disk of '\(output.path)' knows no locks: let no other run write it")
    }
    defer {
      if let descriptor {
        // While the lock is held, so that nobody holds one of a file that is gone.
        unlink(file.path)
        close(descriptor)
      }
    }
    return try body()
  }

  /// The file that is locked for an output.
  package static func place(of output: URL) -> URL {
    let output = output.standardizedFileURL
    return output.deletingLastPathComponent().appending(path: ".\(output.lastPathComponent).lock")
  }

  /// The locked file; nil where files cannot be locked.
  private static func take(_ file: URL, for output: URL) throws -> Int32? {
    while true {
      let descriptor = open(file.path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
      guard descriptor >= 0 else {
        throw CommandError.failure("cannot make the lock '\(file.path)': \(SystemMessage.text())")
      }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        let isTaken = errno == EWOULDBLOCK
        defer { close(descriptor) }
        if !isTaken { return nil }
        throw CommandError.failure(
          "another run\(owner(descriptor)) is writing '\(output.path)'; wait for it, or name another "
            + "output")
      }
      // The one before may have removed the file between opening and locking it.
      var (own, present) = (stat(), stat())
      if fstat(descriptor, &own) == 0, stat(file.path, &present) == 0,
        own.st_ino == present.st_ino, own.st_dev == present.st_dev
      {
        let text = Array("\(getpid())\n".utf8)
        if ftruncate(descriptor, 0) == 0 { _ = pwrite(descriptor, text, text.count, 0) }
        return descriptor
      }
      close(descriptor)
    }
  }

  /// The process that a lock names.
  private static func owner(_ descriptor: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 20)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    guard let process = Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) else { return "" }
    return " (process \(process))"
  }
}
