import Foundation
import MoscCodegen
import MoscFormats
import MoscReport

/// The folder of what is kept between runs: compiled kernels, packed weights, and kernels as text for
/// debuggers.
package struct CacheFolder: Hashable, Sendable {
  package let url: URL

  /// The folder at a path; nil for the user's.
  package init(_ path: String?) { self.init(URL(fileURLWithPath: path ?? Host.defaultCacheFolder)) }

  package init(_ url: URL) { self.url = url }

  private var objects: URL { url.appending(path: "objects") }
  private var weights: URL { url.appending(path: "weights") }
  /// Where the hashes of large files are.
  package var hashes: URL { url.appending(path: "hashes") }
  /// Where kernels are as text.
  package var sources: URL { url.appending(path: "kernels") }

  /// Why nothing in the folder can be trusted, if so.
  package var fault: String? {
    [url, objects, weights].lazy.compactMap { PrivateFolder($0).fault }.first
  }

  // MARK: The limit

  /// How many bytes all files may have, and who says so.
  package struct Limit: Hashable, Sendable {
    package var bytes: Int
    package var origin: String

    package init(bytes: Int, origin: String) {
      self.bytes = bytes
      self.origin = origin
    }
  }

  private static let usualLimit = 13 << 30
  /// More kernels than these were never used by one set of models.
  private static let mostObjectBytes = 1 << 30
  private static let variable = "MOSC_CACHE_LIMIT"
  private var limitFile: URL { url.appending(path: "limit") }

  /// The limit of `MOSC_CACHE_LIMIT`, else the one that was set for the folder, else the usual one.
  ///
  /// - Throws: for a limit that is no size, naming its place.
  package func limit() throws -> Limit {
    if let text = ProcessInfo.processInfo.environment[Self.variable], !text.isEmpty {
      guard let size = ByteSize(spelling: text) else {
        throw CommandError.usage("\(Self.variable)='\(text)': expected a size such as 4G")
      }
      return Limit(bytes: size.bytes, origin: Self.variable)
    }
    guard FileManager.default.fileExists(atPath: limitFile.path) else {
      return Limit(bytes: Self.usualLimit, origin: "the usual one")
    }
    let text = try TextFile.read(limitFile.path).trimmingCharacters(in: .whitespacesAndNewlines)
    guard let size = ByteSize(spelling: text) else {
      throw FormatError(limitFile.path, nil, "expected a size such as 4G, found '\(text.prefix(40))'")
    }
    return Limit(bytes: size.bytes, origin: "set by 'mosc cache limit'")
  }

  /// Sets the limit of the folder; nil for the usual one. What exceeds it goes.
  package func setLimit(_ size: ByteSize?) throws {
    if let size {
      try PrivateFolder(url).write(Data("\(size.bytes)\n".utf8), as: limitFile.lastPathComponent)
    } else if unlink(limitFile.path) != 0, errno != ENOENT {
      throw FormatError(limitFile.path, nil, "cannot be removed: \(SystemMessage.text())")
    }
    let limit = try limit()
    objectCache(limit).trim()
    packedWeights(limit).trim()
  }

  package func objectCache(_ limit: Limit) -> ObjectCache {
    ObjectCache(directory: objects, maximumBytes: Self.objectBytes(limit))
  }

  package func packedWeights(_ limit: Limit) -> PackedWeights {
    PackedWeights(folder: weights, maximumBytes: limit.bytes - Self.objectBytes(limit))
  }

  private static func objectBytes(_ limit: Limit) -> Int { min(mostObjectBytes, limit.bytes / 4) }

  // MARK: What is there

  /// A file of the cache.
  package struct Entry: Hashable, Sendable {
    package var url: URL
    package var bytes: Int
    package var date: Date
  }

  /// The files of a kind.
  package struct Part: Hashable, Sendable {
    package var name: String
    /// Used longest ago first.
    package var files: [Entry]

    package var entries: Int { files.count }
    package var bytes: Int { files.reduce(0) { $0 + $1.bytes } }
  }

  /// The files of each kind; those of others are none of them.
  package var parts: [Part] {
    [
      Part(name: "kernels", files: files(objects, [ObjectCache.suffix, ObjectCache.oldSuffix])),
      Part(name: "packed weights", files: files(weights, [PackedWeights.suffix, PackedWeights.oldSuffix])),
      Part(name: "kernels as text", files: files(sources, ["mos"])),
    ]
  }

  private func files(_ folder: URL, _ endings: Set<String>) -> [Entry] {
    let keys: Set<URLResourceKey> = [.contentModificationDateKey, .fileSizeKey]
    let urls = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: Array(keys))) ?? []
    return urls.compactMap { url in
      guard endings.contains(url.pathExtension) || PrivateFolder.isUnfinished(url.lastPathComponent),
        let values = try? url.resourceValues(forKeys: keys)
      else { return nil }
      return Entry(url: url, bytes: values.fileSize ?? 0, date: values.contentModificationDate ?? .distantPast)
    }.sorted { ($0.date, $0.url.path) < ($1.date, $1.url.path) }
  }

  /// Removes all files of the cache, and folders that are then empty.
  ///
  /// - Returns: how many files went.
  /// - Throws: for a file that cannot be removed.
  @discardableResult
  package func clear() throws -> Int {
    var count = 0
    for entry in parts.flatMap(\.files) {
      guard unlink(entry.url.path) == 0 || errno == ENOENT else {
        throw FormatError(entry.url.path, nil, "cannot be removed: \(SystemMessage.text())")
      }
      count += 1
    }
    for folder in [objects, weights, sources, url] { rmdir(folder.path) }
    return count
  }
}
