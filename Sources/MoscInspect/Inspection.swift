import Foundation
import MoscFormats
import MoscImages
import MoscModel
import MoscReport

/// `mosc inspect`: what a file or folder is, told by its content rather than by its name.
package enum Inspection {
  /// What is at a path; nil for the embedded model.
  ///
  /// - Throws: what is wrong with it, naming it; also for what nothing here reads or writes.
  package static func finding(_ path: String?) throws -> Finding {
    guard let path else { return try modelFinding(.embedded(), "the embedded model") }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw CommandError.failure("cannot read '\(path)': there is no such file or folder")
    }
    let url = URL(fileURLWithPath: path)
    return try isFolder.boolValue ? folderFinding(url, path) : file(url, path)
  }

  private static func file(_ url: URL, _ path: String) throws -> Finding {
    let start = try head(url)
    func begins(_ bytes: [UInt8]) -> Bool { start.starts(with: bytes) }
    if start.isEmpty { throw FormatError(path, nil, "the file is empty") }
    if begins([0x89, 0x50, 0x4e, 0x47]) || begins([0xff, 0xd8, 0xff]) || WebP.begins(start) {
      return try pictureFinding(url, path)
    }
    if begins([0x50, 0x4b, 0x03, 0x04]) || begins([0x80, 0x02]) { return try torchFinding(url, path) }
    if let found = try cacheEntryFinding(url, path) { return found }
    if begins([0x7f, 0x45, 0x4c, 0x46]) {
      var finding = Finding(path, .code, "machine code of a kernel")
      finding.add(bytes: try size(url))
      return finding
    }
    // The header of a safetensors file is a JSON object behind its length.
    if url.pathExtension.lowercased() == "safetensors" || start.dropFirst(8).first == UInt8(ascii: "{") {
      return try safetensorsFinding(url, path)
    }
    if let found = try textFinding(url, path) { return found }
    if let kind = start.withUnsafeBytes(FileKind.describe) {
      throw FormatError(path, nil, "is \(kind); nothing here reads it")
    }
    let bytes = start.prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
    throw FormatError(
      path, nil, "is nothing that mosc reads or writes: it starts with the bytes "
        + bytes.joined(separator: " "))
  }

  private static func head(_ url: URL) throws -> Data {
    do {
      let handle = try FileHandle(forReadingFrom: url)
      defer { try? handle.close() }
      return try handle.read(upToCount: 16) ?? Data()
    } catch {
      throw FormatError(url.path, nil, "cannot be read: \(error.plainDescription)")
    }
  }

  /// The bytes of a file.
  static func size(_ url: URL) throws -> Int {
    try url.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0
  }
}
