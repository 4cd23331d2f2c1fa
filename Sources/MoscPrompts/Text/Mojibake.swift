/// A character set of one byte each, with unassigned bytes as themselves.
struct Charset: Sendable {
  /// The scalars of bytes 0x80 to 0x9f; the others are those of Latin-1.
  private let upper: [UInt32]

  static let latin1 = Charset(upper: Array(0x80...0x9f))
  static let windows1252 = Charset(upper: [
    0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039,
    0x152, 0x8d, 0x17d, 0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc,
    0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178,
  ])

  func scalar(_ byte: UInt8) -> Unicode.Scalar {
    guard 0x80...0x9f ~= byte else { return Unicode.Scalar(byte) }
    return Unicode.Scalar(upper[Int(byte) - 0x80]) ?? Unicode.Scalar(byte)
  }

  /// The byte of a scalar; nil for one that the set does not have.
  func byte(_ scalar: Unicode.Scalar) -> UInt8? {
    if scalar.value < 0x80 || (0xa0...0xff ~= scalar.value) { return UInt8(scalar.value) }
    return upper.firstIndex(of: scalar.value).map { UInt8($0 + 0x80) }
  }

  /// The bytes of a text; nil if one scalar is not in the set.
  func bytes(_ text: some Collection<Unicode.Scalar>) -> [UInt8]? {
    var result: [UInt8] = []
    for scalar in text {
      guard let byte = byte(scalar) else { return nil }
      result.append(byte)
    }
    return result
  }
}

/// UTF-8 that was read as Latin-1 or Windows-1252, such as `schÃ¶n`.
///
/// Repaired where the text looks wrong (pairs of characters that no language has side by side) and
/// its bytes are UTF-8. Other character sets, and bytes that got lost on the way, are not tried.
enum Mojibake {
  /// Text may have been read wrongly more than once.
  private static let roundLimit = 8

  static func repair(_ text: Scalars) -> Scalars {
    var text = text
    for _ in 0..<roundLimit {
      guard text.contains(where: { !$0.isASCII }), MojibakeClues.lookWrong(text) else { break }
      guard let repaired = whole(text) ?? parts(text), repaired != text else { break }
      text = repaired
    }
    return text
  }

  private static func whole(_ text: Scalars) -> Scalars? {
    for charset in [Charset.latin1, .windows1252] {
      guard let bytes = charset.bytes(text) else { continue }
      if let decoded = String(validating: withHardSpaces(bytes), as: UTF8.self) {
        return decoded.scalars
      }
    }
    return nil
  }

  /// Repairs runs that are UTF-8 within a text that is not.
  private static func parts(_ text: Scalars) -> Scalars? {
    var result: Scalars = []
    var place = 0
    while place < text.count {
      var end = place
      // What follows the rest of a letter is no beginning of another.
      if place == 0 || !isTail(text[place - 1]) {
        while let next = sequenceEnd(text, end) { end = next }
      }
      let run = Scalars(text[place..<end])
      if !run.isEmpty, run.count < text.count, MojibakeClues.lookWrong(run), let fixed = whole(run) {
        result += fixed
        place = end
      } else {
        result += text[place..<max(end, place + 1)]
        place = max(end, place + 1)
      }
    }
    return result
  }

  /// Bytes within a letter that do not stand for themselves beside it: dashes, quotes, bullets and
  /// dots do.
  private static func isTail(_ scalar: Unicode.Scalar) -> Bool {
    guard let byte = Charset.windows1252.byte(scalar), 0x80...0xbf ~= byte else { return false }
    return !"–—‘’‚“”„•…".unicodeScalars.contains(scalar)
  }

  /// The end of the UTF-8 sequence of several bytes that begins at a place; a space may stand for
  /// the byte A0.
  private static func sequenceEnd(_ text: Scalars, _ start: Int) -> Int? {
    guard start < text.count, let lead = Charset.windows1252.byte(text[start]) else { return nil }
    let length =
      switch lead {
      case 0xc2...0xdf: 2
      case 0xe0...0xef: 3
      case 0xf0, 0xf3: 4
      default: 0
      }
    guard length > 0, start + length <= text.count else { return nil }
    for scalar in text[(start + 1)..<(start + length)] {
      guard let byte = Charset.windows1252.byte(scalar), 0x80...0xbf ~= byte || byte == 0x20
      else { return nil }
    }
    return start + length
  }

  /// Puts back the byte A0 where a program made a space of it within a letter.
  private static func withHardSpaces(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    func isTail(_ index: Int) -> Bool {
      index < bytes.count && 0x80...0xbf ~= bytes[index] && bytes[index] != 0xa0
        && bytes[index] != 0x85
    }
    for (place, byte) in bytes.enumerated() {
      let lead = place > 0 ? bytes[place - 1] : 0
      let leadBefore = place > 1 ? bytes[place - 2] : 0
      guard byte == 0x20 else {
        result.append(byte)
        continue
      }
      switch lead {
      case 0xc3:
        // `Ã la` is `à la`: the letter is a word, and its space stays.
        result += [0xa0, 0x20]
      case 0xc2, 0xc5, 0xce, 0xd0, 0xd9:
        result.append(0xa0)
      case 0xe2...0xe3 where isTail(place + 1):
        result.append(0xa0)
      default:
        let isThird = 0xe0...0xe3 ~= leadBefore && isTail(place - 1)
        result.append(isThird ? 0xa0 : 0x20)
      }
    }
    return result
  }
}
