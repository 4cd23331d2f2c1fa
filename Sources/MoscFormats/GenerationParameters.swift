/// The `parameters` text of a picture as the A1111 web UI writes and reads it.
///
/// Prompt lines, then `Negative prompt: …` if there is one, then one comma list of settings.
package struct GenerationParameters: Hashable, Sendable {
  package var prompt: String
  package var negativePrompt: String
  /// Settings in writing order, such as ("Steps", "20").
  package var settings: [Setting]

  /// A named setting.
  package struct Setting: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  package init(prompt: String, negativePrompt: String, settings: [Setting]) {
    self.prompt = prompt
    self.negativePrompt = negativePrompt
    self.settings = settings
  }

  /// The value of the first setting with the name, or nil.
  package subscript(name: String) -> String? { settings.first { $0.name == name }?.value }

  /// A number without superfluous zeros: `7`, not `7.0`.
  package static func number(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
  }

  /// The text.
  package var text: String {
    var lines = [prompt]
    if !negativePrompt.isEmpty { lines.append("Negative prompt: \(negativePrompt)") }
    let list = settings.map { setting in
      let value = setting.value
      let mustQuote = value.unicodeScalars.contains { ",:\n\r\"".unicodeScalars.contains($0) }
      return "\(setting.name): \(mustQuote ? JSONText.quote(value) : value)"
    }
    if !list.isEmpty { lines.append(list.joined(separator: ", ")) }
    return lines.joined(separator: "\n")
  }

  /// Reads such a text; as in the web UI, a last line with fewer than three settings belongs to
  /// the prompt.
  package init(parsing text: String) {
    // "\r\n" is one character, so lines are cut at scalars.
    var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
      .map { String($0.last == "\r" ? $0.dropLast() : $0) }
    while lines.count > 1, lines.last == "" { lines.removeLast() }
    settings = lines.last.map { Self.parseSettings($0) } ?? []
    if settings.count < 3 { settings = [] } else { lines.removeLast() }
    let marker = "Negative prompt:"
    let start = lines.firstIndex { $0.hasPrefix(marker) } ?? lines.count
    prompt = lines[..<start].joined(separator: "\n")
    let negative = lines[start...].joined(separator: "\n").dropFirst(marker.count)
    negativePrompt = String(negative.first == " " ? negative.dropFirst() : negative)
  }

  /// The settings of a line; parts that have no name are passed over.
  private static func parseSettings(_ line: String) -> [Setting] {
    var result: [Setting] = []
    var rest = Substring(line)
    while !rest.isEmpty {
      let comma = rest.firstIndex(of: ",") ?? rest.endIndex
      if let colon = rest[..<comma].firstIndex(of: ":") {
        let name = String(rest[..<colon].drop { $0 == " " })
        rest = rest[rest.index(after: colon)...].drop { $0 == " " }
        let (value, end) = value(at: rest)
        if isName(name) { result.append(Setting(name, value)) }
        rest = rest[end...]
      } else {
        rest = rest[comma...]
      }
      rest = rest.drop { $0 == "," || $0 == " " }
    }
    return result
  }

  /// Letters, digits, blanks, underscores, hyphens and slashes, as the web UI reads names.
  private static func isName(_ text: String) -> Bool {
    text.count >= 2 && text.allSatisfy { $0.isLetter || $0.isNumber || " _-/".contains($0) }
  }

  /// A quoted string, a JSON object (some programs write hashes so), or anything up to a comma.
  private static func value(at text: Substring) -> (String, end: Substring.Index) {
    func isComplete(_ end: Substring.Index) -> Bool { end == text.endIndex || text[end] == "," }
    if text.first == "\"", let end = closingQuote(text), isComplete(end),
      case .string(let value)? = try? JSONValue.parse(text[..<end].utf8, path: "parameters")
    {
      return (value, end)
    }
    if text.first == "{", let end = closingBrace(text), isComplete(end) {
      return (String(text[..<end]), end)
    }
    let end = text.firstIndex(of: ",") ?? text.endIndex
    return (String(text[..<end]), end)
  }

  /// The place after the string literal that the text starts with.
  private static func closingQuote(_ text: Substring) -> Substring.Index? {
    var isEscaped = false
    for index in text.indices.dropFirst() {
      if isEscaped {
        isEscaped = false
      } else if text[index] == "\\" {
        isEscaped = true
      } else if text[index] == "\"" {
        return text.index(after: index)
      }
    }
    return nil
  }

  /// The place after the object that the text starts with.
  private static func closingBrace(_ text: Substring) -> Substring.Index? {
    var depth = 0
    var index = text.startIndex
    while index < text.endIndex {
      if text[index] == "\"" {
        guard let end = closingQuote(text[index...]) else { return nil }
        index = end
        continue
      }
      if text[index] == "{" { depth += 1 }
      if text[index] == "}" { depth -= 1 }
      index = text.index(after: index)
      if depth == 0 { return index }
    }
    return nil
  }
}
