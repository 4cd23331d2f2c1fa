import Foundation
import MoscFormats

/// A result file: checked before the work starts, written whole or not at all.
package struct OutputFile: Hashable, Sendable {
  /// The path, or `-` for standard output.
  package let path: String
  /// How the next free name is found; nil for a name that the user chose.
  private let numbered: NumberedName?

  /// Whether the result goes to standard output.
  package var isStandardOutput: Bool { path == "-" }

  /// Checks that a file can be made at the path.
  ///
  /// - Throws: `CommandError` naming the path and what is in the way.
  package init(_ path: String, _ kind: OutputKind? = nil) throws {
    var folders: Set<String> = []
    try self.init(path, kind, folders: &folders)
  }

  /// - Parameter folders: those that were found in order; one of many files is looked at once.
  init(_ path: String, _ kind: OutputKind?, folders: inout Set<String>) throws {
    self.path = path
    numbered = nil
    if isStandardOutput { return }
    if path.isEmpty { throw CommandError.usage("the output path is empty") }
    var isDirectory: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
    if path.hasSuffix("/") || exists && isDirectory.boolValue {
      throw CommandError.failure("cannot write '\(path)': it is a directory, expected a file")
    }
    try kind?.check(path)
    if exists, !FileManager.default.isWritableFile(atPath: path) {
      throw CommandError.failure("cannot write '\(path)': the file is write-protected")
    }
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    if folders.contains(folder) { return }
    try Self.checkFolder(folder, for: path)
    folders.insert(folder)
  }

  /// A file that gets the given number, or the next free one.
  init(_ numbered: NumberedName, number: Int) throws {
    path = numbered.path(number)
    self.numbered = numbered
    try Self.checkFolder(numbered.folder.isEmpty ? "." : numbered.folder, for: path)
  }

  private static func checkFolder(_ folder: String, for path: String) throws {
    let manager = FileManager.default
    var isDirectory: ObjCBool = false
    guard manager.fileExists(atPath: folder, isDirectory: &isDirectory) else {
      throw CommandError.failure("cannot write '\(path)': there is no folder '\(folder)'")
    }
    guard isDirectory.boolValue, manager.isWritableFile(atPath: folder) else {
      throw CommandError.failure("cannot write '\(path)': the folder '\(folder)' is not writable")
    }
  }

  /// The file with a name that is still free, where nobody chose the name.
  package var settled: OutputFile {
    get throws {
      guard let numbered, FileManager.default.fileExists(atPath: path) else { return self }
      return try OutputFile(numbered, number: numbered.next())
    }
  }

  /// Writes the bytes, all or nothing.
  ///
  /// - Returns: where they are, which is another place than planned when somebody took the number.
  @discardableResult
  package func put(_ bytes: Data) throws -> OutputFile {
    if isStandardOutput {
      try StandardOutput.write(bytes)
      return self
    }
    guard numbered != nil else {
      try AtomicFile.write(bytes, to: url)
      return self
    }
    var file = self
    while true {
      do {
        try AtomicFile.write(bytes, to: file.url, replacing: false)
        return file
      } catch is AtomicFile.NameTaken {
        file = try file.settled
      }
    }
  }

  /// Writes the bytes, all or nothing.
  package func write(_ bytes: Data) throws { try put(bytes) }

  /// Writes UTF-8 text.
  package func write(_ text: String) throws { try write(Data(text.utf8)) }

  /// The path as a file URL.
  package var url: URL { URL(fileURLWithPath: path) }
}
