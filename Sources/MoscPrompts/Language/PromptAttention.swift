/// A stretch of a prompt that is read with one weight, or a break between chunks.
package struct WeightedText: Hashable, Sendable {
  package var text: String
  package var weight: Double

  package init(_ text: String, _ weight: Double) { (self.text, self.weight) = (text, weight) }

  /// Whether a new chunk begins here. A `BREAK` in brackets has a weight and is a word.
  package var isBreak: Bool { text == Self.breakWord && weight == Self.breakWeight }

  static let breakWord = "BREAK"
  static let breakWeight = -1.0
}

/// Reads `(a)`, `(a:1.2)`, `[a]`, escapes and `BREAK`.
///
/// Round and square brackets are two stacks, so they need not be nested in each other; what is not
/// closed acts to the end of the text, what was never opened stays as text.
package enum PromptAttention {
  /// What `( )` multiplies a weight by; `[ ]` divides by it.
  static let factor = 1.1

  /// The stretches of a text with their weights, neighbours of equal weight as one.
  ///
  /// - Throws: `PromptSyntaxError` for a weight such as `(a:1.2.3)`.
  package static func parse(_ text: String) throws(PromptSyntaxError) -> [WeightedText] {
    var reader = AttentionReader(text.scalars)
    return try reader.read()
  }

  /// The text as one stretch, for emphasis `None`.
  package static func unread(_ text: String) -> [WeightedText] { [WeightedText(text, 1)] }

  /// A text in which no character has a meaning: what the language would read is escaped.
  package static func escape(_ text: String) -> String {
    text.scalars.flatMap { "()[]\\".unicodeScalars.contains($0) ? ["\\", $0] : [$0] }.text
  }

  /// Splits a text at the word `BREAK`; white space around it goes.
  static func split(_ text: ArraySlice<Unicode.Scalar>) -> [ArraySlice<Unicode.Scalar>] {
    var parts: [ArraySlice<Unicode.Scalar>] = []
    var end = text.startIndex
    for word in words(WeightedText.breakWord, in: text) {
      var (low, high) = (word.lowerBound, word.upperBound)
      while low > end, text[low - 1].isSpace { low -= 1 }
      while high < text.endIndex, text[high].isSpace { high += 1 }
      parts.append(text[end..<low])
      end = high
    }
    return parts + [text[end...]]
  }

  /// Where a word stands alone, with no word character on either side.
  static func words(_ word: String, in text: ArraySlice<Unicode.Scalar>) -> [Range<Int>] {
    let wanted = word.scalars
    var result: [Range<Int>] = []
    var place = text.startIndex
    while place + wanted.count <= text.endIndex {
      let end = place + wanted.count
      if text[place..<end].elementsEqual(wanted),
        place == text.startIndex || !text[place - 1].isWord,
        end == text.endIndex || !text[end].isWord
      {
        result.append(place..<end)
        place = end
      } else {
        place += 1
      }
    }
    return result
  }
}

/// Reads one text from left to right.
private struct AttentionReader {
  let source: Scalars
  private var place = 0
  private var result: [WeightedText] = []
  /// Where in the result open brackets began.
  private var round: [Int] = []
  private var square: [Int] = []

  init(_ source: Scalars) { self.source = source }

  mutating func read() throws(PromptSyntaxError) -> [WeightedText] {
    while place < source.count { try readOne() }
    for start in round { multiply(from: start, PromptAttention.factor) }
    for start in square { multiply(from: start, 1 / PromptAttention.factor) }
    if result.isEmpty { return [WeightedText("", 1)] }
    return merged()
  }

  private mutating func readOne() throws(PromptSyntaxError) {
    switch source[place] {
    case "\\":
      let next = place + 1
      if next < source.count, "()[]\\".unicodeScalars.contains(source[next]) {
        result.append(WeightedText(String(source[next]), 1))
        place += 2
      } else {
        result.append(WeightedText("", 1))
        place += 1
      }
    case "(":
      round.append(result.count)
      place += 1
    case "[":
      square.append(result.count)
      place += 1
    case ")":
      close(round.popLast(), PromptAttention.factor)
    case "]":
      close(square.popLast(), 1 / PromptAttention.factor)
    case ":":
      try readColon()
    default:
      let end = source[place...].firstIndex { "\\()[]:".unicodeScalars.contains($0) }
      append(source[place..<(end ?? source.count)])
      place = end ?? source.count
    }
  }

  /// A closing bracket with the place of its opening one; without, it is text.
  private mutating func close(_ start: Int?, _ factor: Double) {
    if let start {
      multiply(from: start, factor)
    } else {
      append(source[place...place])
    }
    place += 1
  }

  /// A colon: of a weight if `number)` follows, else text.
  private mutating func readColon() throws(PromptSyntaxError) {
    var end = place + 1
    func skipSpace() { while end < source.count, source[end].isSpace { end += 1 } }
    skipSpace()
    let start = end
    if end < source.count, source[end] == "+" || source[end] == "-" { end += 1 }
    let digits = end
    while end < source.count, source[end] == "." || source[end].digit != nil { end += 1 }
    let number = source[start..<end]
    let hasDigits = end > digits
    skipSpace()
    guard hasDigits, end < source.count, source[end] == ")" else {
      append(source[place...place])
      place += 1
      return
    }
    end += 1
    if let open = round.popLast() {
      guard let weight = PythonNumber.double(number) else {
        throw PromptSyntaxError(
          .value,
          "'\(source[place..<end].text)' at character \(place + 1) is no weight: '\(number.text)' is no "
            + "number; write \\( and \\) for brackets that are text")
      }
      multiply(from: open, weight)
    } else {
      append(source[place..<end])
    }
    place = end
  }

  private mutating func append(_ text: ArraySlice<Unicode.Scalar>) {
    for (index, part) in PromptAttention.split(text).enumerated() {
      if index > 0 {
        result.append(WeightedText(WeightedText.breakWord, WeightedText.breakWeight))
      }
      result.append(WeightedText(part.text, 1))
    }
  }

  private mutating func multiply(from start: Int, _ factor: Double) {
    for index in result.indices[start...] { result[index].weight *= factor }
  }

  private func merged() -> [WeightedText] {
    var list: [WeightedText] = []
    for part in result {
      if let last = list.last, last.weight == part.weight {
        list[list.count - 1].text.unicodeScalars.append(contentsOf: part.text.unicodeScalars)
      } else {
        list.append(part)
      }
    }
    return list
  }
}
