import Foundation
import MoscEngine
import MoscFormats
import MoscInspect
import MoscReport

/// `mosc cache`: what is kept between runs.
package struct CacheJob {
  private let folder: CacheFolder

  package init(cacheFolder: String?) { folder = CacheFolder(cacheFolder) }

  /// Sizes and the limit.
  package func summary() throws -> JSONValue {
    let limit = try folder.limit()
    let parts = folder.parts.filter { $0.entries > 0 }.map { part in
      (
        part.name.replacing(" ", with: "_"),
        JSONValue.fields([("entries", .int(part.entries)), ("bytes", .int(part.bytes))])
      )
    }
    return .fields([
      ("folder", .string(folder.url.path)), ("parts", .fields(parts)),
      ("bytes", .int(folder.parts.reduce(0) { $0 + $1.bytes })), ("limit", .int(limit.bytes)),
      ("limit_origin", .string(limit.origin)),
    ])
  }

  /// The summary as lines.
  package func text() throws -> String {
    let limit = try folder.limit()
    var lines = ["folder: \(folder.url.path)"]
    for part in folder.parts where part.entries > 0 {
      lines.append("\(part.name): \(part.entries) files, \(Finding.size(part.bytes))")
    }
    let total = folder.parts.reduce(0) { $0 + $1.bytes }
    lines.append("in all: \(Finding.size(total)) of at most \(Finding.size(limit.bytes)) (\(limit.origin))")
    if let fault = folder.fault { lines.append("not used: \(fault)") }
    return lines.joined(separator: "\n")
  }

  /// Every file with size and time of its last use, used longest ago first.
  package func list() -> [String] {
    folder.parts.flatMap(\.files).sorted { $0.date < $1.date }.map { entry in
      let size = String(entry.bytes)
      return "\(entry.date.formatted(.iso8601))  \(String(repeating: " ", count: max(0, 11 - size.count)))\(size)  \(entry.url.path)"
    }
  }

  /// Removes everything; what was removed in words.
  package func clear() throws -> String {
    let bytes = folder.parts.reduce(0) { $0 + $1.bytes }
    let count = try folder.clear()
    return "removed \(count) files, \(Finding.size(bytes))"
  }

  /// Sets the limit; nil for the usual one.
  package func setLimit(_ size: ByteSize?) throws { try folder.setLimit(size) }
}
