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

  /// A number without superfluous zeros: `7`, not `7.0`.
  package static func number(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
  }

  /// The text.
  package var text: String {
    var lines = [prompt]
    if !negativePrompt.isEmpty { lines.append("Negative prompt: \(negativePrompt)") }
    let list = settings.map { setting in
      let mustQuote = setting.value.contains { ",:\n\"".contains($0) }
      return "\(setting.name): \(mustQuote ? JSONText.quote(setting.value) : setting.value)"
    }
    lines.append(list.joined(separator: ", "))
    return lines.joined(separator: "\n")
  }

  /// Reads such a text; a last line that is no list of settings belongs to the prompt.
  package init(parsing text: String) {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    settings = lines.last.flatMap(Self.parseSettings) ?? []
    if !settings.isEmpty { lines.removeLast() }
    let marker = "Negative prompt: "
    let start = lines.firstIndex { $0.hasPrefix(marker) } ?? lines.count
    prompt = lines[..<start].joined(separator: "\n")
    negativePrompt = String(lines[start...].joined(separator: "\n").dropFirst(marker.count))
  }

  private static func parseSettings(_ line: String) -> [Setting]? {
    var result: [Setting] = []
    var rest = Substring(line)
    while !rest.isEmpty {
      guard let colon = rest.firstRange(of: ": ") else { return nil }
      let name = String(rest[..<colon.lowerBound])
      rest = rest[colon.upperBound...]
      if rest.hasPrefix("\"") {
        guard let end = closingQuote(rest) else { return nil }
        let literal = rest[...end]
        guard let value = try? JSONValue.parse(Array(literal.utf8), path: "parameters").string else {
          return nil
        }
        result.append(Setting(name, value))
        rest = rest[rest.index(after: end)...]
      } else {
        let end = rest.firstIndex(of: ",") ?? rest.endIndex
        result.append(Setting(name, String(rest[..<end])))
        rest = rest[end...]
      }
      if rest.hasPrefix(", ") { rest = rest.dropFirst(2) } else if !rest.isEmpty { return nil }
    }
    return result.count >= 2 ? result : nil
  }

  private static func closingQuote(_ text: Substring) -> Substring.Index? {
    var index = text.index(after: text.startIndex)
    while index < text.endIndex {
      if text[index] == "\\" {
        index = text.index(index, offsetBy: 2, limitedBy: text.endIndex) ?? text.endIndex
        continue
      }
      if text[index] == "\"" { return index }
      index = text.index(after: index)
    }
    return nil
  }
}
