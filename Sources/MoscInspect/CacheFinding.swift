import Foundation
import MoscCodegen
import MoscEngine
import MoscFormats
import MoscReport

extension Inspection {
  /// An entry of the cache; nil for any other file.
  static func cacheEntryFinding(_ url: URL, _ path: String) throws -> Finding? {
    let folder = url.deletingLastPathComponent()
    let key = url.deletingPathExtension().lastPathComponent
    var finding: Finding
    switch url.pathExtension {
    case ObjectCache.suffix:
      finding = Finding(path, .cacheEntry, "a compiled kernel in the cache")
      switch ObjectCache(directory: folder).object(key) {
      case .hit(let code): finding.add("bytes of code", code.count)
      case .damaged(let reason): throw FormatError(path, nil, reason)
      case .miss: throw FormatError(path, nil, "cannot be read")
      }
    case PackedWeights.suffix:
      finding = Finding(path, .cacheEntry, "a packed weight in the cache")
      if let fault = PackedWeights(folder: folder).fault(of: key) { throw FormatError(path, nil, fault) }
    default: return nil
    }
    finding.add("key", key)
    finding.add(bytes: try size(url))
    finding.commands = ["mosc cache"]
    return finding
  }

  /// The folder of the cache.
  static func cacheFinding(_ url: URL, _ path: String) throws -> Finding {
    var finding = Finding(path, .cacheEntry, "a cache of kernels and packed weights")
    for part in CacheFolder(url).parts {
      finding.add(
        part.name, .fields([("entries", .int(part.entries)), (Finding.sizeName, .int(part.bytes))]))
    }
    finding.commands = ["mosc cache --cache-dir \(quoted(path))"]
    return finding
  }
}
