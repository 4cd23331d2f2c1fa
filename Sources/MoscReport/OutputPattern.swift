import Foundation
import MoscFormats

/// Where the pictures of a run go: a file, a folder whose pictures are numbered, or a pattern of names.
///
/// In a pattern `%d` or `%03d` is the number of the picture in the run, from 1, `[seed]` its seed and
/// `[prompt]` its prompt in letters that file names have. Without one of them a series gets `_1`, `_2`, …
/// before the ending.
package struct OutputPattern: Hashable, Sendable {
  /// What tells a picture of a run from the others.
  package struct Item: Hashable, Sendable {
    package var seed: UInt64?
    package var prompt: String

    package init(seed: UInt64? = nil, prompt: String = "") {
      self.seed = seed
      self.prompt = prompt
    }
  }

  /// As given by the user.
  package let text: String
  private let kind: OutputKind
  /// What stands before the numbers of names that nobody chose.
  private let prefix: String
  private static let mostDigits = 20
  private static let mostPromptBytes = 100

  /// Where results go that nobody named a place for.
  package static let workingFolder = "./"

  package init(_ text: String, _ kind: OutputKind, prefix: String = "") {
    self.text = text
    self.kind = kind
    self.prefix = prefix
  }

  /// The files of all pictures, checked to be writable; a folder is made.
  package func files(_ items: [Item]) throws -> [OutputFile] {
    if Self.isFolder(text) { return try numbered(items) }
    var names: Set<String> = []
    var folders: Set<String> = []
    return try items.enumerated().map { index, item in
      let file = try OutputFile(
        name(item, index + 1, of: items.count), kind, folders: &folders)
      if !file.isStandardOutput, !names.insert(file.path).inserted {
        throw CommandError.usage(
          "output '\(text)' names the same file for several pictures; number them with '%d'")
      }
      return file
    }
  }

  /// The file of a command that makes one.
  package func file() throws -> OutputFile { try files([Item()])[0] }

  private static func isFolder(_ text: String) -> Bool {
    var isDirectory: ObjCBool = false
    return text.hasSuffix("/")
      || FileManager.default.fileExists(atPath: text, isDirectory: &isDirectory)
        && isDirectory.boolValue
  }

  /// Names of the kind `00000-SEED.png` in the folder.
  private func numbered(_ items: [Item]) throws -> [OutputFile] {
    var folder = text.hasSuffix("/") ? text : "\(text)/"
    if folder == Self.workingFolder { folder = "" } else { try makeFolder(URL(fileURLWithPath: folder)) }
    let names = items.map { item in
      NumberedName(
        folder: folder, prefix: prefix,
        suffix: (item.seed.map { "-\($0)" } ?? "") + ".\(kind.endings[0])")
    }
    let first = names.first?.next() ?? 0
    return try names.enumerated().map { try OutputFile($1, number: first + $0) }
  }

  /// The name of picture `index` (from 1) of `count`.
  ///
  /// - Throws: a usage error when the pattern holds any other `%` conversion.
  package func name(_ item: Item, _ index: Int, of count: Int) throws -> String {
    if text == "-" { return text }
    var result = ""
    var isNumbered = false
    var rest = text[...]
    while let character = rest.first {
      // No regular expression: there may be half a million names.
      let digits = rest.dropFirst().prefix { $0.isASCII && $0.isNumber }
      let last = rest[digits.endIndex...].first
      if character == "%", last == "d" {
        result += try Self.number(index, width: digits, text)
        (rest, isNumbered) = (rest[digits.endIndex...].dropFirst(), true)
      } else if rest.hasPrefix("%%") {
        result += "%"
        rest = rest.dropFirst(2)
      } else if character == "%" {
        throw CommandError.usage("output '\(text)': expected '%d' or '%03d' after '%'")
      } else if rest.hasPrefix("[seed]") {
        result += item.seed.map { "\($0)" } ?? ""
        (rest, isNumbered) = (rest.dropFirst("[seed]".count), true)
      } else if rest.hasPrefix("[prompt]") {
        result += Self.slug(item.prompt)
        (rest, isNumbered) = (rest.dropFirst("[prompt]".count), true)
      } else {
        result.append(character)
        rest = rest.dropFirst()
      }
    }
    if count == 1 || isNumbered { return result }
    let slash = result.lastIndex(of: "/").map(result.index(after:)) ?? result.startIndex
    let dot = result[slash...].lastIndex(of: ".") ?? result.endIndex
    return "\(result[..<dot])_\(index)\(result[dot...])"
  }

  private static func number(_ index: Int, width: Substring, _ text: String) throws -> String {
    guard let wanted = Int("0\(width)"), wanted <= mostDigits else {
      throw CommandError.usage(
        "output '\(text)': expected at most \(mostDigits) digits, found \(width)")
    }
    let number = String(index)
    let fill = width.hasPrefix("0") ? "0" : " "
    return String(repeating: fill, count: max(0, wanted - number.count)) + number
  }

  /// A prompt as a part of a file name: letters and digits, the rest as single underscores.
  private static func slug(_ prompt: String) -> String {
    var result = ""
    for word in prompt.split(whereSeparator: { !($0.isLetter || $0.isNumber || $0 == "-") }) {
      let longer = result.isEmpty ? String(word) : "\(result)_\(word)"
      if longer.utf8.count > mostPromptBytes {
        // Of a single endless word the beginning remains.
        if result.isEmpty { result = String(word.prefix(mostPromptBytes / 4)) }
        break
      }
      result = longer
    }
    return result.isEmpty ? "untitled" : result
  }
}
