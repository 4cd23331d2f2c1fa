/// Regions in the reference's spelling: `[prompt]-*-[negative]-*-[top,left,bottom,right]|…`, boxes in
/// pixels, `[]` for the whole picture. Source: Mix-of-Show, `regionally_controlable_sampling.py`.
package enum RewriteText {
  /// Reads regions; texts may hold brackets as long as they are balanced.
  ///
  /// - Throws: `PromptError` with the position of what was not expected.
  package static func regions(
    _ text: String, width: Int, height: Int
  ) throws(PromptError) -> [Region] {
    var scanner = BracketScanner(text)
    var result: [Region] = []
    repeat {
      let prompt = try scanner.bracketed("a prompt")
      try scanner.expect("-*-")
      let negative = try scanner.bracketed("a negative prompt")
      try scanner.expect("-*-")
      let (numbers, place) = try scanner.numbers()
      var region = Region(name: "region \(result.count + 1)", prompt: trimmed(prompt))
      if region.prompt.isEmpty {
        throw PromptError("region \(result.count + 1) of --prompt-rewrite has no prompt")
      }
      region.negative = trimmed(negative)
      region.box = try box(numbers, place, width, height)
      result.append(region)
    } while try scanner.continues()
    return result
  }

  /// Reads strengths by box: `[top,left,bottom,right]-0.8|[…]-0.5`.
  package static func strengths(
    _ text: String, width: Int, height: Int
  ) throws(PromptError) -> [(box: RegionBox, strength: Double)] {
    var scanner = BracketScanner(text)
    var result: [(box: RegionBox, strength: Double)] = []
    repeat {
      let (numbers, place) = try scanner.numbers()
      try scanner.expect("-")
      let strength = try scanner.number()
      result.append((try box(numbers, place, width, height), strength))
    } while try scanner.continues()
    return result
  }

  private static func box(
    _ numbers: [Double], _ place: String, _ width: Int, _ height: Int
  ) throws(PromptError) -> RegionBox {
    if numbers.isEmpty { return .full }
    guard numbers.count == 4 else {
      throw PromptError("\(place): expected [top,left,bottom,right] or [], found \(numbers)")
    }
    return try RegionBox(
      [numbers[1], numbers[0], numbers[3], numbers[2]], width: width, height: height,
      isPixels: true)
  }

  private static func trimmed(_ text: String) -> String {
    text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }
}

/// Reads bracketed parts of a text in order.
private struct BracketScanner {
  private let text: [Character]
  private var position = 0

  init(_ text: String) { self.text = Array(text) }

  private func failure(_ expected: String) -> PromptError {
    let found = position < text.count ? "'\(String(text[position...].prefix(12)))'" : "the end"
    return PromptError(
      "character \(position + 1) of '\(String(text))': expected \(expected), found \(found)")
  }

  private mutating func skipSpaces() {
    while position < text.count, text[position].isWhitespace { position += 1 }
  }

  mutating func expect(_ word: String) throws(PromptError) {
    skipSpaces()
    guard text[position...].starts(with: word) else { throw failure("'\(word)'") }
    position += word.count
  }

  /// The text between balanced brackets.
  mutating func bracketed(_ what: String) throws(PromptError) -> String {
    skipSpaces()
    guard position < text.count, text[position] == "[" else { throw failure("[\(what)]") }
    var depth = 0
    let start = position + 1
    while position < text.count {
      if text[position] == "[" { depth += 1 }
      if text[position] == "]" { depth -= 1 }
      position += 1
      if depth == 0 { return String(text[start..<position - 1]) }
    }
    throw failure("']' at the end of \(what)")
  }

  mutating func numbers() throws(PromptError) -> (numbers: [Double], place: String) {
    let start = position
    let body = try bracketed("top,left,bottom,right")
    var result: [Double] = []
    for part in body.split(separator: ",") {
      guard let value = Double(part.filter { !$0.isWhitespace }), value.isFinite else {
        position = start
        throw failure("numbers in '[\(body)]'")
      }
      result.append(value)
    }
    return (result, "[\(body)]")
  }

  mutating func number() throws(PromptError) -> Double {
    skipSpaces()
    let digits = text[position...].prefix { $0.isNumber || "+-.eE".contains($0) }
    guard let value = Double(String(digits)), value.isFinite else { throw failure("a number") }
    position += digits.count
    return value
  }

  /// Whether another part follows a `|`; anything else must be the end.
  mutating func continues() throws(PromptError) -> Bool {
    skipSpaces()
    if position == text.count { return false }
    try expect("|")
    return true
  }
}
