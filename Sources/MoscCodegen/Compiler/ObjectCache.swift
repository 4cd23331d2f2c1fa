import Crypto
import Foundation
import Synchronization

/// Object files kept on disk between runs.
///
/// An entry is a file named by its key: the 32-byte SHA-256 of key and object, then the object.
/// Entries appear by renaming, so readers never see half of one; an entry whose checksum does not
/// match, because it is damaged or another one's, is ignored with a warning and replaced. When all
/// entries exceed the size cap, the oldest go first.
package struct ObjectCache: Sendable {
  package let directory: URL
  /// The cap on the bytes of all entries.
  package let maximumBytes: Int

  /// The ending of the names of entries.
  package static let suffix = "mosc-object"
  /// The suffix of versions whose checksums left out the key.
  package static let oldSuffix = "mosc-obj"
  private static let checksumBytes = 32

  /// A cache in `directory`, which is made when the first entry is written.
  package init(directory: URL, maximumBytes: Int = 1 << 30) {
    self.directory = directory
    self.maximumBytes = maximumBytes
  }

  private func file(_ key: String) -> URL {
    directory.appendingPathComponent(key).appendingPathExtension(Self.suffix)
  }

  /// The result of a look-up.
  package enum Entry: Sendable {
    case hit([UInt8])
    case miss
    /// The entry is there but cannot be used; the text says why.
    case damaged(String)
  }

  /// The object stored under a key.
  package func object(_ key: String) -> Entry {
    guard let data = try? Data(contentsOf: file(key)) else { return .miss }
    guard data.count > Self.checksumBytes else {
      return .damaged("cache entry \(file(key).path) has \(data.count) bytes; compiled again")
    }
    let object = data.dropFirst(Self.checksumBytes)
    guard Self.checksum(key, object) == Array(data.prefix(Self.checksumBytes)) else {
      return .damaged("cache entry \(file(key).path) has a wrong checksum; compiled again")
    }
    return .hit([UInt8](object))
  }

  /// Stores an object; returns why it could not, or nil.
  package func store(_ object: [UInt8], _ key: String) -> String? {
    var data = Data(Self.checksum(key, object))
    data.append(contentsOf: object)
    do {
      try PrivateFolder(directory).write(data, as: file(key).lastPathComponent)
      return nil
    } catch {
      return "the cache '\(directory.path)' cannot be written (\(error.reason)); code is compiled anew"
        + " in each run; choose another with --cache-dir, or do without with --no-cache"
    }
  }

  private static func checksum(_ key: String, _ object: some DataProtocol) -> [UInt8] {
    var hash = SHA256()
    hash.update(data: Data(key.utf8))
    hash.update(data: object)
    return Array(hash.finalize())
  }

  /// The number and bytes of all entries.
  package func usage() -> (entries: Int, bytes: Int) {
    entries().reduce((0, 0)) { ($0.0 + 1, $0.1 + $1.bytes) }
  }

  /// Removes the oldest entries until the rest fit the cap; returns how many went.
  @discardableResult
  package func trim() -> Int {
    PrivateFolder(directory).removeAbandoned()
    let names = try? FileManager.default.contentsOfDirectory(atPath: directory.path)
    for name in names ?? [] where name.hasSuffix(".\(Self.oldSuffix)") {
      try? FileManager.default.removeItem(at: directory.appendingPathComponent(name))
    }
    var list = entries().sorted { ($0.date, $0.url.path) < ($1.date, $1.url.path) }
    var total = list.reduce(0) { $0 + $1.bytes }
    var removed = 0
    while total > maximumBytes, !list.isEmpty {
      let oldest = list.removeFirst()
      total -= oldest.bytes
      if (try? FileManager.default.removeItem(at: oldest.url)) != nil { removed += 1 }
    }
    return removed
  }

  private func entries() -> [(url: URL, date: Date, bytes: Int)] {
    let keys: Set<URLResourceKey> = [.contentModificationDateKey, .fileSizeKey]
    let urls = try? FileManager.default.contentsOfDirectory(
      at: directory, includingPropertiesForKeys: Array(keys))
    return (urls ?? []).filter { $0.pathExtension == Self.suffix }.compactMap { url in
      guard let values = try? url.resourceValues(forKeys: keys) else { return nil }
      return (url, values.contentModificationDate ?? .distantPast, values.fileSize ?? 0)
    }
  }
}
