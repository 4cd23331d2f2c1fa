import Foundation
import MoscFormats

/// SHA-256 hashes of large files, kept under what tells a file from its earlier self: place on disk,
/// size and time of the last change. A model of 4 GB takes seconds to read.
package struct FileHashes: Sendable {
  /// nil keeps nothing.
  private let folder: URL?

  package init(folder: URL?) { self.folder = folder }

  /// The hash of a file.
  package func sha256(of url: URL) throws -> String {
    guard let folder else { return try FileHash.sha256(of: url) }
    let identity = try MappedFile(url).identity
    let entry = folder.appending(path: FileHash.sha256(Data(identity.utf8)))
    if let kept = try? readFile(entry), kept.count == 64, kept.allSatisfy(Self.isHex) {
      return String(decoding: kept, as: UTF8.self)
    }
    let hash = try FileHash.sha256(of: url)
    // A hash that cannot be kept is computed again.
    if (try? makeFolder(folder)) != nil { try? AtomicFile.write(Data(hash.utf8), to: entry) }
    return hash
  }

  private static func isHex(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
  }
}
