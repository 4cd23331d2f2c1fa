/// Which characters side by side are a sign of text that was read in the wrong encoding.
///
/// The rules of ftfy's `badness` for the characters of Windows-1252.
enum MojibakeClues {
  private struct Kinds: OptionSet, Sendable {
    let rawValue: Int
    static let common = Kinds(rawValue: 1)
    static let control = Kinds(rawValue: 2)
    static let bad = Kinds(rawValue: 4)
    static let law = Kinds(rawValue: 8)
    static let currency = Kinds(rawValue: 16)
    static let opening = Kinds(rawValue: 32)
    static let closing = Kinds(rawValue: 64)
    static let numeric = Kinds(rawValue: 128)
    static let upper = Kinds(rawValue: 256)
    static let lower = Kinds(rawValue: 512)
    static let thorn = Kinds(rawValue: 1024)
    static let upperASCII = Kinds(rawValue: 2048)
    static let lowerASCII = Kinds(rawValue: 4096)
    static let space = Kinds(rawValue: 8192)
    static let word = Kinds(rawValue: 16384)

    static let signs: Kinds = [.lower, .upper, .opening, .closing, .currency, .numeric, .law]
    static let latin: Kinds = [.upperASCII, .lowerASCII]
  }

  private static let table: [Unicode.Scalar: Kinds] = {
    var result: [Unicode.Scalar: Kinds] = [:]
    func add(_ kind: Kinds, _ text: String) {
      for scalar in text.unicodeScalars { result[scalar, default: []].insert(kind) }
    }
    add(.common, "\u{a0}\u{ad}\u{b7}\u{b4}\u{2013}\u{2014}\u{2015}\u{2026}\u{2019}")
    add(.bad, "¦¤¨¬¯¸ƒˆˇ˘˛˜†‡‰\u{fffd}ªº")
    add(.law, "¶§")
    add(.currency, "¢£¥€")
    add(.opening, "¡«¿©‘‚“„•‹")
    add(.closing, "®»”›™")
    add(.numeric, "²³¹±¼½¾×µ÷")
    add(.upper, "ŒØÜÝŠŸŽ")
    add(.lower, "ßüœšž")
    add(.thorn, "Þ")
    for value in UInt8(0xc0)...0xd1 { add(.upper, String(Unicode.Scalar(value))) }
    for value in UInt8(0xe0)...0xf1 { add(.lower, String(Unicode.Scalar(value))) }
    return result
  }()

  private static func kinds(_ scalar: Unicode.Scalar) -> Kinds {
    var result = table[scalar] ?? []
    if 0x80...0x9f ~= scalar.value { result.insert(.control) }
    if "A"..."Z" ~= scalar { result.insert(.upperASCII) }
    if "a"..."z" ~= scalar { result.insert(.lowerASCII) }
    if scalar.isSpace { result.insert(.space) }
    if scalar.isWord { result.insert(.word) }
    return result
  }

  /// Sequences of kinds that are a sign.
  private static let sequences: [[Kinds]] = [
    [.control],
    [Kinds.signs.union(.bad), .bad],
    [.latin, .thorn, .bad],
    [.bad, .signs],
    [[.lower, .closing, .currency, .numeric], .upper],
    [[.closing, .currency, .numeric], .lower],
    [[.lower, .closing], .currency],
    [.space, .upper, .currency],
    [.upper, [.numeric, .law]],
    [[.lower, .upper, .currency, .closing], .opening, .numeric],
    [[.lower, .upper, .currency, .numeric, .law], .closing, .opening],
    [[.currency, .numeric], .opening],
    [.lowerASCII, .upper, [.opening, .currency]],
    [[.lower, .upper], [.opening, .closing], .word],
  ]

  private static let tails = Set("€œŠš¢£Ÿž\u{a0}\u{ad}®©°·»–—´".unicodeScalars)
  private static let arabicTails = Set("ŸŠ®°µ»".unicodeScalars)

  /// Whether a text has any sign.
  static func lookWrong(_ text: Scalars) -> Bool {
    let kinds = text.map(kinds)
    return text.indices.contains { place in
      sequences.contains { matches($0, kinds, at: place) } || isTypical(text, kinds, at: place)
    }
  }

  private static func matches(_ sequence: [Kinds], _ kinds: [Kinds], at place: Int) -> Bool {
    place + sequence.count <= kinds.count
      && sequence.enumerated().allSatisfy {
        !kinds[place + $0.offset].isDisjoint(with: $0.element)
      }
  }

  /// Pairs that are typical of UTF-8 in Windows-1252.
  private static func isTypical(_ text: Scalars, _ kinds: [Kinds], at place: Int) -> Bool {
    guard place + 1 < text.count else { return false }
    let (first, next) = (text[place], text[place + 1])
    let nextIsQuote = !kinds[place + 1].isDisjoint(with: [.opening, .closing])
    switch first {
    case "Œ", "œ": return kinds[place + 1].isDisjoint(with: .latin)
    case "Â", "Ã", "Î", "Ð":
      if tails.contains(next) || nextIsQuote { return true }
      guard first == "Â" || first == "Ã" else { break }
      if first == "Ã", next == "¡" { return true }
      if next == " ", place == 0 || follows(kinds, place) { return true }
      if first == "Â", next == " ", place > 0,
        ".,?!".unicodeScalars.contains(text[place - 1]) || kinds[place - 1].contains(.closing)
      {
        return true
      }
    case "×": return next == "²" || next == "³"
    case "à": return "²µ¹¼½¾".unicodeScalars.contains(next)
    case "Ø", "Ù":
      return place + 3 < text.count && isArabicTail(next, kinds[place + 1])
        && (text[place + 2] == "Ø" || text[place + 2] == "Ù")
        && isArabicTail(text[place + 3], kinds[place + 3])
    default: break
    }
    return next == "°" && kinds[place].contains(.upper)
  }

  /// Whether a small letter stands before, perhaps with one space.
  private static func follows(_ kinds: [Kinds], _ place: Int) -> Bool {
    kinds[place - 1].contains(.lowerASCII)
      || (place > 1 && kinds[place - 1].contains(.space) && kinds[place - 2].contains(.lowerASCII))
  }

  private static func isArabicTail(_ scalar: Unicode.Scalar, _ kinds: Kinds) -> Bool {
    arabicTails.contains(scalar)
      || !kinds.isDisjoint(with: [.common, .currency, .bad, .numeric, .opening])
  }
}
