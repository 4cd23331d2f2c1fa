/// Characters and numbers as Python reads them, which is how prompts are written.
///
/// Prompts are compared and cut by Unicode scalar: `é` in one scalar and in two are different texts.
typealias Scalars = [Unicode.Scalar]

extension Unicode.Scalar {
  /// Python's `\s`: white space and the four separators of ASCII.
  var isSpace: Bool { properties.isWhitespace || (0x1c...0x1f).contains(value) }

  /// Python's `\w`: letters, numbers and the underscore.
  var isWord: Bool {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
      .decimalNumber, .letterNumber, .otherNumber:
      true
    default: self == "_"
    }
  }

  /// Python's `\d`: the decimal digits of every script.
  var digit: Int? {
    guard properties.generalCategory == .decimalNumber else { return nil }
    return properties.numericValue.map { Int($0) }
  }

  var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}

extension Collection where Element == Unicode.Scalar {
  var text: String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: self)
    return String(view)
  }
}

extension BidirectionalCollection where Element == Unicode.Scalar {
  /// The text without white space at its ends.
  var stripped: SubSequence {
    guard let first = firstIndex(where: { !$0.isSpace }),
      let last = lastIndex(where: { !$0.isSpace })
    else { return self[endIndex...] }
    return self[first...last]
  }
}

extension String {
  var scalars: Scalars { Array(unicodeScalars) }
}

/// Numbers as Python's `float` and `int` read them.
enum PythonNumber {
  /// A decimal number with the digits of any script, `inf` or `nan`; nil for anything else.
  static func double(_ text: some BidirectionalCollection<Unicode.Scalar>) -> Double? {
    guard let plain = plain(text) else { return nil }
    var rest = plain[...]
    let isNegative = rest.first == "-"
    if rest.first == "+" || rest.first == "-" { rest.removeFirst() }
    switch rest.text.lowercased() {
    case "inf", "infinity": return isNegative ? -.infinity : .infinity
    case "nan": return .nan
    default: break
    }
    // Swift also reads hexadecimal numbers, Python does not.
    guard rest.allSatisfy({ $0.isASCIIDigit || ".eE+-".unicodeScalars.contains($0) }),
      rest.contains(where: \.isASCIIDigit), rest.first != "e", rest.first != "E",
      rest.first != "+", rest.first != "-"
    else { return nil }
    var text = plain.text
    if text.hasPrefix("+") { text.removeFirst() }
    // Swift wants digits on both sides of the point.
    return Double(text) ?? Double(padded(text))
  }

  /// A whole number; nil for anything else, and for more than 64 bits.
  static func int(_ text: some BidirectionalCollection<Unicode.Scalar>) -> Int? {
    plain(text).flatMap { Int($0.text) }
  }

  /// The text without spaces around, with ASCII digits and without `_` between digits.
  private static func plain(_ text: some BidirectionalCollection<Unicode.Scalar>) -> Scalars? {
    let source = Scalars(text.stripped)
    var result: Scalars = []
    for (index, scalar) in source.enumerated() {
      if let digit = scalar.digit, let ascii = Unicode.Scalar(UInt32(48 + digit)) {
        result.append(ascii)
      } else if scalar == "_" {
        guard index > 0, source[index - 1].digit != nil, index + 1 < source.count,
          source[index + 1].digit != nil
        else { return nil }
      } else {
        result.append(scalar)
      }
    }
    return result.isEmpty ? nil : result
  }

  /// `.5`, `5.` and `5.e3` with the zero that they leave out.
  private static func padded(_ text: String) -> String {
    let scalars = text.scalars
    guard let point = scalars.firstIndex(of: ".") else { return text }
    var result = Scalars(scalars[..<point])
    if result.last?.isASCIIDigit != true { result.append("0") }
    result.append(".")
    if point + 1 >= scalars.count || !scalars[point + 1].isASCIIDigit { result.append("0") }
    result += scalars[(point + 1)...]
    // A lone point is no number.
    let hasDigit =
      (point > 0 && scalars[point - 1].isASCIIDigit)
      || (point + 1 < scalars.count && scalars[point + 1].isASCIIDigit)
    return hasDigit ? result.text : ""
  }
}
