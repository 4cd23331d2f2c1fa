import MoscFormats

/// A line of a prompt file with the inline options of kohya's scripts:
/// `a cat --n blurry --w 512 --h 768 --s 30 --d 1 --l 7.5`.
package struct PromptLine: Hashable, Sendable {
  package var prompt: String
  package var negativePrompt: String?
  package var width: Int?
  package var height: Int?
  package var steps: Int?
  package var guidance: Double?
  package var seeds: [UInt64] = []

  /// The options that a line may have.
  private static let known: [String: String] = [
    "n": "negative prompt", "w": "width", "h": "height", "s": "steps", "d": "seeds", "l": "guidance",
  ]

  /// Whether the line says more than a prompt.
  package var hasOptions: Bool { self != PromptLine(prompt) }

  private init(_ prompt: String) { self.prompt = prompt }

  /// Reads a line.
  ///
  /// - Throws: `FormatError` for an option that is unknown or whose value cannot be.
  package init(_ line: String, path: String, number: Int) throws(FormatError) {
    let parts = line.split(separator: " --", omittingEmptySubsequences: false)
    self.init(parts.first.map { String($0).scalars.stripped.text } ?? "")
    for part in parts.dropFirst() {
      let words = part.split(separator: " ", maxSplits: 1)
      let name = words.first.map(String.init) ?? ""
      let value = words.count > 1 ? String(words[1]).scalars.stripped.text : ""
      let place = "line \(number)"
      guard let meaning = Self.known[name] else {
        throw FormatError(
          path, place, "unknown inline option '--\(name)', expected --n, --w, --h, --s, --d or --l")
      }
      func wrong(_ expected: String) -> FormatError {
        FormatError(path, place, "--\(name) (\(meaning)): expected \(expected), found '\(value)'")
      }
      func whole() throws(FormatError) -> Int {
        guard let result = Int(value), result > 0 else { throw wrong("a number above 0") }
        return result
      }
      switch name {
      case "n": negativePrompt = value
      case "w": width = try whole()
      case "h": height = try whole()
      case "s": steps = try whole()
      case "l":
        guard let result = Double(value), result.isFinite else { throw wrong("a number") }
        guidance = result
      default:
        seeds = []
        for text in value.split(separator: ",") {
          guard let seed = UInt64(text.trimmingSpaces) else { throw wrong("seeds such as 1,2,3") }
          seeds.append(seed)
        }
      }
    }
  }
}

extension Substring {
  fileprivate var trimmingSpaces: String { String(self).scalars.stripped.text }
}
