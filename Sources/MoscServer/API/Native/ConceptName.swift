import Foundation
import MoscFormats
import MoscNetworks

/// Names of concepts that requests choose, which become names of files and nothing else.
enum ConceptName {
  /// - Throws: `APIError` for what could be more than a name.
  static func check(_ fields: JSONFields) throws -> String {
    guard let name = try fields.string("name"), name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9_-]{0,63}/) != nil else {
      throw APIError.field("name", "expected 1 to 64 letters, digits, '-' and '_'")
    }
    return name
  }

  /// Where the file of a concept is to be.
  static func place(_ name: String, _ services: Services) -> URL {
    services.catalog.loraFolder.appending(path: "\(name).safetensors")
  }
}
