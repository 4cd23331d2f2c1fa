import Crypto
import Foundation

/// SHA-256 of files and bytes in lower-case hexadecimal.
package enum FileHash {
  /// The hash of a file's content, read in pieces.
  ///
  /// - Parameter isCancelled: asked before each piece whether the hash is still wanted; that of a part is
  ///   no use.
  package static func sha256(
    of url: URL, from offset: Int = 0, isCancelled: () -> Bool = { false }
  ) throws(FormatError) -> String {
    let file = try MappedFile(url)
    var hasher = SHA256()
    let piece = 16 << 20
    for start in stride(from: offset, to: file.bytes.count, by: piece) {
      if isCancelled() { break }
      let range = start..<min(start + piece, file.bytes.count)
      hasher.update(bufferPointer: UnsafeRawBufferPointer(rebasing: file.bytes[range]))
      file.dropPages(range)
    }
    return hex(hasher.finalize())
  }

  /// The hash of bytes.
  package static func sha256(_ data: some DataProtocol) -> String { hex(SHA256.hash(data: data)) }

  /// The hash of a text with bytes behind it.
  package static func sha256(_ text: String, followedBy bytes: UnsafeRawBufferPointer) -> String {
    var hasher = SHA256()
    hasher.update(data: Data(text.utf8))
    hasher.update(bufferPointer: bytes)
    return hex(hasher.finalize())
  }

  private static func hex(_ digest: SHA256.Digest) -> String {
    digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
