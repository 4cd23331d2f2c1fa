import Foundation
import MoscFormats

/// A result file: checked before the work starts, written whole or not at all.
package struct OutputFile: Hashable, Sendable {
  /// The path, or `-` for standard output.
  package let path: String

  /// Whether the result goes to standard output.
  package var isStandardOutput: Bool { path == "-" }

  /// Checks that a file can be made at the path.
  ///
  /// - Throws: `CommandError.failure` naming the path and what is in the way.
  package init(_ path: String) throws {
    self.path = path
    if isStandardOutput { return }
    if path.isEmpty { throw CommandError.usage("the output path is empty") }
    let manager = FileManager.default
    var isDirectory: ObjCBool = false
    if manager.fileExists(atPath: path, isDirectory: &isDirectory) {
      if isDirectory.boolValue {
        throw CommandError.failure("cannot write '\(path)': it is a directory, expected a file")
      }
      if !manager.isWritableFile(atPath: path) {
        throw CommandError.failure("cannot write '\(path)': the file is write-protected")
      }
    }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    guard manager.fileExists(atPath: folder, isDirectory: &isDirectory) else {
      throw CommandError.failure("cannot write '\(path)': there is no folder '\(folder)'")
    }
    guard isDirectory.boolValue, manager.isWritableFile(atPath: folder) else {
      throw CommandError.failure("cannot write '\(path)': the folder '\(folder)' is not writable")
    }
  }

  /// Writes the bytes, all or nothing.
  package func write(_ bytes: Data) throws {
    guard isStandardOutput else { return try AtomicFile.write(bytes, to: url) }
    do {
      try FileHandle.standardOutput.write(contentsOf: bytes)
    } catch {
      throw CommandError.failure("cannot write to standard output: \(error.plainDescription)")
    }
  }

  /// Writes UTF-8 text.
  package func write(_ text: String) throws { try write(Data(text.utf8)) }

  /// The path as a file URL.
  package var url: URL { URL(fileURLWithPath: path) }
}
