import Foundation
import MoscReport

/// The values of an axis as the A1111 web UI spells them: a list, `a|b|c` of texts of which the first is
/// replaced by each, ranges of numbers in either.
///
/// `1-5` is 1, 2, 3, 4, 5; `1-10(+3)` is 1, 4, 7, 10; `0-1[5]` is five numbers from 0 to 1. What stands in
/// double quotes is one value, whatever it holds. Source: the web UI's `scripts/xyz_grid.py`.
package struct AxisValues: Hashable, Sendable {
  package var values: [String]
  /// Whether each replaces the first in what is given.
  package var replacesFirst: Bool

  /// - Parameter place: what errors name, such as `--x steps`.
  /// - Throws: a usage error for no value, a quote without end, and ranges without end.
  package init(_ text: String, place: String) throws {
    let items = try Self.split(text, place)
    replacesFirst = items.contains { $0.separator == "|" }
    // A comma between texts is a part of them.
    let parts = replacesFirst ? Self.joined(items) : items
    values = try parts.flatMap { item in
      item.isQuoted ? [item.text] : try Self.range(item.text, place) ?? [item.text]
    }
    guard !values.isEmpty, !values.contains("") else {
      throw CommandError.usage("\(place): expected values, such as 4,8 or 1-5 or cat|dog, found '\(text)'")
    }
    guard !replacesFirst || values.count > 1 else {
      throw CommandError.usage("\(place): expected what to replace, and by what: cat|dog")
    }
  }

  private struct Item {
    var text = ""
    var isQuoted = false
    /// What stands behind it; nil for the last.
    var separator: Character?
  }

  private static func split(_ text: String, _ place: String) throws -> [Item] {
    var items: [Item] = []
    var item = Item()
    var isInside = false
    for character in text {
      switch character {
      case "\"" where isInside || item.text.allSatisfy(\.isWhitespace):
        isInside.toggle()
        if isInside { item = Item(text: "", isQuoted: true) }
      case _ where !isInside && (character == "," || character == "|"):
        item.separator = character
        items.append(item)
        item = Item()
      default: item.text.append(character)
      }
    }
    if isInside { throw CommandError.usage("\(place): a quote has no end in '\(text)'") }
    items.append(item)
    return items.map { item in
      var item = item
      if !item.isQuoted { item.text = item.text.trimmingCharacters(in: .whitespaces) }
      return item
    }
  }

  private static func joined(_ items: [Item]) -> [Item] {
    var result: [Item] = []
    for item in items {
      guard let last = result.last, last.separator == "," else {
        result.append(item)
        continue
      }
      result[result.count - 1].text += ", " + item.text
      result[result.count - 1].isQuoted = true
      result[result.count - 1].separator = item.separator
    }
    return result
  }

  /// The numbers of a range; nil for what is none.
  private static func range(_ text: String, _ place: String) throws -> [String]? {
    let number = #"[+-]?\d+(?:\.\d+)?"#
    let pattern = try Regex(#"^\s*(\#(number))\s*-\s*(\#(number))\s*(?:\(\s*([+-]\d+(?:\.\d+)?)\s*\)|\[\s*(\d+)\s*\])?\s*$"#)
    guard let match = try pattern.firstMatch(in: text) else { return nil }
    func field(_ index: Int) -> String? { match.output[index].substring.map(String.init) }
    // Decimal fractions count exactly.
    guard let from = field(1).flatMap({ Decimal(string: $0) }), let to = field(2).flatMap({ Decimal(string: $0) })
    else { return nil }
    func shown(_ number: Decimal) -> String { "\(number)" }
    if let count = field(4) {
      guard let count = Int(count), 1...mostValues ~= count else {
        throw CommandError.usage("\(place): expected 1 to \(mostValues) values, found '\(text)'")
      }
      let isWhole = !text.contains(".")
      return (0..<count).map { index in
        let value = count == 1 ? from : from + (to - from) * Decimal(index) / Decimal(count - 1)
        let number = NSDecimalNumber(decimal: value).doubleValue
        return isWhole ? "\(Int(number))" : shown(Decimal(string: "\(number)") ?? value)
      }
    }
    let step = field(3).flatMap { Decimal(string: $0) } ?? (from <= to ? 1 : -1)
    guard step != 0, (to - from) / step >= 0, (to - from) / step < Decimal(mostValues) else {
      throw CommandError.usage(
        "\(place): '\(text)' has no end, or more than \(mostValues) values; expected such as 1-10(+3)")
    }
    var values: [String] = []
    var value = from
    while step > 0 ? value <= to : value >= to {
      values.append(shown(value))
      value += step
    }
    return values
  }

  private static let mostValues = 1000
}
