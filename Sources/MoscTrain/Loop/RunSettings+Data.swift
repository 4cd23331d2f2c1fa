import Foundation
import MoscFormats
import MoscSample

extension RunSettings {
  /// Pictures by names, contents and captions, wherever they lie.
  static func data(_ images: [TrainingImage]) throws -> JSONValue {
    var known: [URL: String] = [:]
    return .array(
      try images.map { entry in
        let files = try [entry.image, entry.mask].compactMap { $0 }.map { url in
          let text = try known[url] ?? file(url)
          known[url] = text
          return text
        }
        return .string("\(files.joined(separator: " with mask ")): \(entry.caption)")
      })
  }
}

extension JSONValue {
  /// A number, or null for none.
  static func number(_ value: Double?) -> JSONValue { value.map { .double($0) } ?? .null }
}
