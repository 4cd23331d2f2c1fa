import Foundation

/// The names of a numbered series of pictures, such as `out_%03d.png`.
///
/// Without a `%d` a series gets `_1`, `_2`, … before the extension.
package struct OutputPattern: Hashable, Sendable {
  package let text: String
  private static let mostDigits = 20

  package init(_ text: String) { self.text = text }

  /// The name of picture `index` (from 1) of `count`.
  ///
  /// - Throws: a usage error when the pattern holds any other `%` conversion.
  package func name(_ index: Int, of count: Int) throws -> String {
    if text == "-" { return text }
    guard let range = text.range(of: "%[0-9]*d", options: .regularExpression) else {
      if text.replacingOccurrences(of: "%%", with: "").contains("%") {
        throw CommandError.usage("output '\(text)': expected '%d' or '%03d' after '%'")
      }
      let plain = text.replacingOccurrences(of: "%%", with: "%")
      if count == 1 { return plain }
      let slash = plain.lastIndex(of: "/").map(plain.index(after:)) ?? plain.startIndex
      let dot = plain[slash...].lastIndex(of: ".") ?? plain.endIndex
      return "\(plain[..<dot])_\(index)\(plain[dot...])"
    }
    let width = text[range].dropFirst().dropLast()
    var number = String(index)
    guard let wanted = Int("0\(width)"), wanted <= Self.mostDigits else {
      throw CommandError.usage(
        "output '\(text)': expected at most \(Self.mostDigits) digits, found \(width)")
    }
    if number.count < wanted {
      let fill = width.hasPrefix("0") ? "0" : " "
      number = String(repeating: fill, count: wanted - number.count) + number
    }
    return text.replacingCharacters(in: range, with: number)
  }

  /// All names of a series, checked to be writable.
  package func files(_ count: Int) throws -> [OutputFile] {
    var files: [OutputFile] = []
    var names: Set<String> = []
    for index in 1...max(1, count) {
      let file = try OutputFile(name(index, of: count))
      if !names.insert(file.path).inserted {
        throw CommandError.usage("output '\(text)' names the same file for several pictures")
      }
      files.append(file)
    }
    return files
  }
}
