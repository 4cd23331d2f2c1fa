import Foundation
import MoscFormats
import MoscRandom

/// Chooses among what a prompt leaves open: `{red|blue}`, `{2::red|blue}` and `__file__`, a random line
/// of `file.txt` in a folder.
///
/// The same seed makes the same choices, whatever else is drawn.
package struct Wildcards {
  /// The folder of `__file__`; nil when none was given.
  private let folder: URL?
  private var random: PythonRandom
  /// Files that were read.
  private var files: [String: [String]] = [:]
  /// Words such as `__file__` that stayed as they are for want of a folder.
  package private(set) var unresolved: [String] = []

  /// Choices that hold choices may not be nested deeper: a file may name itself.
  private static let depthLimit = 20

  package init(folder: URL?, seed: UInt64) {
    self.folder = folder
    random = PythonRandom(seed: seed)
  }

  /// The prompt with all choices made.
  ///
  /// - Throws: `FormatError` for a file that is missing, empty or that names itself;
  ///   `PromptSyntaxError` for a weight of a choice that is none.
  package mutating func expand(_ prompt: String) throws -> String {
    try expand(prompt.scalars[...], depth: 0).text
  }

  private mutating func expand(_ text: ArraySlice<Unicode.Scalar>, depth: Int) throws -> Scalars {
    var result: Scalars = []
    var place = text.startIndex
    while place < text.endIndex {
      if text[place] == "\\", place + 1 < text.endIndex {
        result += text[place...(place + 1)]
        place += 2
      } else if text[place] == "{", let end = closing(text, place) {
        let options = options(text[(place + 1)..<end])
        if options.count > 1 {
          result += try choose(options, depth: depth)
        } else {
          // One option leaves nothing open: the braces are text.
          result += ["{"] + (try expand(text[(place + 1)..<end], depth: depth)) + ["}"]
        }
        place = end + 1
      } else if let (name, end) = fileName(text, place) {
        result += try line(name, depth: depth)
        place = end
      } else {
        result.append(text[place])
        place += 1
      }
    }
    return result
  }

  // MARK: Choices

  private func closing(_ text: ArraySlice<Unicode.Scalar>, _ start: Int) -> Int? {
    var depth = 0
    var place = start
    while place < text.endIndex {
      switch text[place] {
      case "\\": place += 1
      case "{": depth += 1
      case "}":
        depth -= 1
        if depth == 0 { return place }
      default: break
      }
      place += 1
    }
    return nil
  }

  /// The options between bars that are in no inner braces or square brackets.
  private func options(_ text: ArraySlice<Unicode.Scalar>) -> [ArraySlice<Unicode.Scalar>] {
    var result: [ArraySlice<Unicode.Scalar>] = []
    var (depth, start, place) = (0, text.startIndex, text.startIndex)
    while place < text.endIndex {
      switch text[place] {
      case "\\": place += 1
      case "{", "[": depth += 1
      case "}", "]": depth -= 1
      case "|" where depth <= 0:
        result.append(text[start..<place])
        start = place + 1
      default: break
      }
      place += 1
    }
    return result + [text[min(start, text.endIndex)...]]
  }

  /// One of several options, those with `weight::` before them more often.
  private mutating func choose(
    _ options: [ArraySlice<Unicode.Scalar>], depth: Int
  ) throws -> Scalars {
    var weights: [Double] = []
    var bodies: [ArraySlice<Unicode.Scalar>] = []
    for option in options {
      let mark = option.indices.first {
        option[$0] == ":" && $0 + 1 < option.endIndex && option[$0 + 1] == ":"
      }
      guard let mark else {
        weights.append(1)
        bodies.append(option)
        continue
      }
      guard let weight = PythonNumber.double(option[..<mark]), weight >= 0, weight.isFinite else {
        throw PromptSyntaxError(
          .value,
          "'{…|\(option.text)|…}': expected a weight before '::', found '\(option[..<mark].text)'")
      }
      weights.append(weight)
      bodies.append(option[(mark + 2)...])
    }
    let total = weights.reduce(0, +)
    guard total > 0 else {
      throw PromptSyntaxError(
        .value, "all weights of '{\(options.map(\.text).joined(separator: "|"))}' are 0")
    }
    var rest = random.random() * total
    var chosen = bodies.count - 1
    for (index, weight) in weights.enumerated() {
      if rest < weight {
        chosen = index
        break
      }
      rest -= weight
    }
    return try expand(bodies[chosen], depth: depth)
  }

  // MARK: Files

  /// The name in `__name__` that begins at a place, and the place after it.
  private func fileName(
    _ text: ArraySlice<Unicode.Scalar>, _ start: Int
  ) -> (name: String, end: Int)? {
    func isMark(_ place: Int) -> Bool {
      place + 1 < text.endIndex && text[place] == "_" && text[place + 1] == "_"
    }
    guard isMark(start) else { return nil }
    var place = start + 2
    while place < text.endIndex, !isMark(place) {
      guard text[place].isWord || "-/. ".unicodeScalars.contains(text[place]) else { return nil }
      place += 1
    }
    guard place > start + 2, isMark(place) else { return nil }
    return (text[(start + 2)..<place].text, place + 2)
  }

  private mutating func line(_ name: String, depth: Int) throws -> Scalars {
    guard let folder else {
      unresolved.append("__\(name)__")
      return "__\(name)__".scalars
    }
    let url = folder.appending(path: "\(name).txt")
    guard depth < Self.depthLimit else {
      throw FormatError(url.path, nil, "its lines name themselves")
    }
    // Names come from prompts, which may come from elsewhere.
    if name.hasPrefix("/") || name.split(separator: "/").contains("..") {
      throw FormatError(folder.path, nil, "'__\(name)__' names a file outside of the folder")
    }
    let lines = try files[name] ?? Self.read(url)
    files[name] = lines
    guard let line = random.choice(lines) else {
      throw FormatError(url.path, nil, "holds no line to choose")
    }
    return try expand(line.scalars[...], depth: depth + 1)
  }

  /// The lines of a file without comments and empty ones.
  private static func read(_ url: URL) throws(FormatError) -> [String] {
    let bytes = try readFile(url)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw FormatError(url.path, nil, "is not valid UTF-8")
    }
    return text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty && !$0.hasPrefix("#") }
  }
}
