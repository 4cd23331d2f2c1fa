import Foundation
import MoscFormats

/// What a file of statistics holds, without the numbers.
struct StatisticsTable: Hashable, Sendable {
  struct Entry: Hashable, Sendable {
    var tensor: String
    var layers: [String]
    var rows, width: Int
  }

  let entries: [Entry]

  /// Reads the description that the file itself has.
  init(_ text: String) throws {
    entries = try (JSONValue.parse(text.utf8, path: "statistics").members ?? []).map { member in
      guard let layers = member.value["layers"]?.array?.compactMap(\.string), let rows = member.value["rows"]?.int,
        let width = member.value["width"]?.int, 1..<1 << 31 ~= width
      else { throw FormatError("statistics", member.key, "found \(member.value)") }
      return Entry(tensor: member.key, layers: layers, rows: rows, width: width)
    }
  }
}
