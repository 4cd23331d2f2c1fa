import Foundation

/// Repairs text before it is tokenised, as ftfy 6.3 does for CLIP: HTML entities, text that was read
/// in the wrong encoding, ligatures, full-width letters, curly quotes, line breaks, control
/// characters, composed letters.
///
/// Line by line, and again until nothing changes. Text without any of these stays as it is.
package enum TextRepair {
  /// More rounds than any text needs; each one only shortens or settles it.
  private static let roundLimit = 20

  /// The repaired text in lower case.
  package static func repaired(_ text: String) -> String {
    // ASCII without `&` and control characters has nothing to repair.
    let isPlain = text.utf8.allSatisfy { $0 < 0x7f && $0 != 0x26 && ($0 >= 0x20 || $0 == 0x0a) }
    return lowercased(isPlain ? text : repair(text.scalars).text)
  }

  static func repair(_ text: Scalars) -> Scalars {
    var result: Scalars = []
    var decodesEntities = true
    var place = 0
    while place < text.count {
      let end = (text[place...].firstIndex(of: "\n").map { $0 + 1 }) ?? text.count
      // A tag anywhere before means that the text is HTML, whose entities mean something.
      if text[place..<end].contains("<") { decodesEntities = false }
      result += repair(line: Scalars(text[place..<end]), decodesEntities)
      place = end
    }
    return result
  }

  private static func repair(line: Scalars, _ decodesEntities: Bool) -> Scalars {
    // Entities are decoded as long as the line as given has no `<`.
    var text = line
    for _ in 0..<roundLimit {
      let before = text
      if decodesEntities { text = HTMLEntities.decode(text) }
      text = Mojibake.repair(text)
      text = text.flatMap(replacement)
      text = lineFeeds(text)
      text = withoutEscapes(text).filter { !isControl($0) }
      text = text.text.precomposedStringWithCanonicalMapping.scalars
      if text == before { break }
    }
    return text
  }

  /// Single characters that stand for others.
  private static func replacement(_ scalar: Unicode.Scalar) -> Scalars {
    switch scalar.value {
    case 0x80...0x9f: [Charset.windows1252.scalar(UInt8(scalar.value))]
    case 0x132: "IJ".scalars
    case 0x133: "ij".scalars
    case 0x149: "\u{2bc}n".scalars
    case 0x1c4: "D\u{17d}".scalars
    case 0x1c5: "D\u{17e}".scalars
    case 0x1c6: "d\u{17e}".scalars
    case 0x1c7: "LJ".scalars
    case 0x1c8: "Lj".scalars
    case 0x1c9: "lj".scalars
    case 0x1ca: "NJ".scalars
    case 0x1cb: "Nj".scalars
    case 0x1cc: "nj".scalars
    case 0x1f1: "DZ".scalars
    case 0x1f2: "Dz".scalars
    case 0x1f3: "dz".scalars
    case 0xfb00: "ff".scalars
    case 0xfb01: "fi".scalars
    case 0xfb02: "fl".scalars
    case 0xfb03: "ffi".scalars
    case 0xfb04: "ffl".scalars
    case 0xfb05: "\u{17f}t".scalars
    case 0xfb06: "st".scalars
    case 0x3000: [" "]
    case 0xff01...0xffef: String(scalar).precomposedStringWithCompatibilityMapping.scalars
    case 0x2bc, 0x2018...0x201b: ["'"]
    case 0x201c...0x201f: ["\""]
    default: [scalar]
    }
  }

  /// Every spelling of a line break as a line feed.
  private static func lineFeeds(_ text: Scalars) -> Scalars {
    var result: Scalars = []
    for (place, scalar) in text.enumerated() {
      switch scalar.value {
      case 0x0d where place + 1 < text.count && text[place + 1] == "\n": continue
      case 0x0d, 0x2028, 0x2029, 0x85: result.append("\n")
      default: result.append(scalar)
      }
    }
    return result
  }

  /// Without the sequences that colour text on a terminal.
  private static func withoutEscapes(_ text: Scalars) -> Scalars {
    guard text.contains("\u{1b}") else { return text }
    var result: Scalars = []
    var place = 0
    while place < text.count {
      if text[place] == "\u{1b}", place + 1 < text.count, text[place + 1] == "[" {
        var end = place + 2
        while end < text.count, text[end].digit != nil || text[end] == ";" { end += 1 }
        if end < text.count, text[end].properties.isAlphabetic, text[end].isASCII {
          place = end + 1
          continue
        }
      }
      result.append(text[place])
      place += 1
    }
    return result
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x09, 0x0b, 0x0e..<0x20, 0x7f, 0x206a..<0x2070, 0xfeff, 0xfff9..<0xfffd: true
    default: false
    }
  }

  /// Lower case, with ς for a Σ that ends a word.
  private static func lowercased(_ text: String) -> String {
    guard text.unicodeScalars.contains("\u{3a3}") else { return text.lowercased() }
    let scalars = text.scalars
    var result: Scalars = []
    for (place, scalar) in scalars.enumerated() {
      guard scalar == "\u{3a3}" else {
        result += scalar.properties.lowercaseMapping.scalars
        continue
      }
      let before = scalars[..<place].last { !$0.properties.isCaseIgnorable }
      let after = scalars[(place + 1)...].first { !$0.properties.isCaseIgnorable }
      let isFinal = before?.properties.isCased == true && after?.properties.isCased != true
      result.append(isFinal ? "\u{3c2}" : "\u{3c3}")
    }
    return result.text
  }
}
