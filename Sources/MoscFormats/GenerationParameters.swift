/// The `parameters` text of a picture as the A1111 web UI writes it; `Infotext` reads it.
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
      let value = setting.value
      let mustQuote = value.unicodeScalars.contains { ",:\n\r\"".unicodeScalars.contains($0) }
      return "\(setting.name): \(mustQuote ? JSONText.quote(value) : value)"
    }
    if !list.isEmpty { lines.append(list.joined(separator: ", ")) }
    return lines.joined(separator: "\n")
  }
}
