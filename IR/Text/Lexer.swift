/// A token of the text format with its place.
struct Token: Hashable {
  enum Kind: Hashable {
    case identifier(String)
    /// `%name`.
    case value(String)
    /// `@name`.
    case symbol(String)
    case int(Int)
    case float(Double)
    case string(String)
    /// One of `( ) { } [ ] , : =` and `->`.
    case punctuation(String)
    case newline
    case end
  }

  var kind: Kind
  var line: Int
  var column: Int
  var length: Int

  /// How error messages call the token.
  var name: String {
    switch kind {
    case .identifier(let text): "'\(text)'"
    case .value(let text): "'%\(text)'"
    case .symbol(let text): "'@\(text)'"
    case .int(let number): "'\(number)'"
    case .float(let number): "'\(number)'"
    case .string: "a string"
    case .punctuation(let text): "'\(text)'"
    case .newline: "the end of the line"
    case .end: "the end of the file"
    }
  }
}

/// Cuts a text into tokens; comments run from `//` to the end of the line.
struct Lexer {
  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var lineStart = 0
  private(set) var tokens: [Token] = []
  private(set) var errors: [(message: String, line: Int, column: Int)] = []

  init(_ text: String) {
    bytes = Array(text.utf8)
    while position < bytes.count { next() }
    add(.newline, from: position)
    add(.end, from: position)
  }

  private mutating func add(_ kind: Token.Kind, from start: Int) {
    tokens.append(
      Token(kind: kind, line: line, column: start - lineStart + 1, length: position - start))
  }

  private mutating func next() {
    let start = position
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
      return
    case UInt8(ascii: "\n"):
      add(.newline, from: start)
      line += 1
      lineStart = position
    case UInt8(ascii: "/") where peek == UInt8(ascii: "/"):
      while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
    case UInt8(ascii: "-") where peek == UInt8(ascii: ">"):
      position += 1
      add(.punctuation("->"), from: start)
    case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "{"), UInt8(ascii: "}"),
      UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ","), UInt8(ascii: ":"),
      UInt8(ascii: "="):
      add(.punctuation(String(UnicodeScalar(byte))), from: start)
    case UInt8(ascii: "%"), UInt8(ascii: "@"):
      let name = word()
      if name.isEmpty { fail("expected a name after '\(UnicodeScalar(byte))'", start) }
      add(byte == UInt8(ascii: "%") ? .value(name) : .symbol(name), from: start)
    case UInt8(ascii: "\""):
      string(start)
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"):
      number(start)
    default:
      position = start
      let name = word()
      if name.isEmpty {
        position = start + 1
        while position < bytes.count, bytes[position] & 0xc0 == 0x80 { position += 1 }
        fail(
          "unexpected character '\(String(decoding: bytes[start..<position], as: UTF8.self))'",
          start)
      } else if name == "inf" || name == "nan" {
        add(.float(name == "inf" ? .infinity : .nan), from: start)
      } else {
        add(.identifier(name), from: start)
      }
    }
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."):
      true
    default: false
    }
  }

  private mutating func word() -> String {
    let start = position
    while let byte = peek, Self.isWord(byte) { position += 1 }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func number(_ start: Int) {
    while let byte = peek {
      let isSign = byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")
      let afterExponent = bytes[position - 1] == UInt8(ascii: "e")
      guard Self.isWord(byte) || (isSign && afterExponent) else { break }
      position += 1
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if let value = Int(text) {
      add(.int(value), from: start)
    } else if let value = Double(text) {
      add(.float(value), from: start)
    } else {
      fail("'\(text)' is not a number", start)
    }
  }

  private mutating func string(_ start: Int) {
    var content: [UInt8] = []
    while let byte = peek, byte != UInt8(ascii: "\n") {
      position += 1
      if byte == UInt8(ascii: "\"") {
        add(.string(String(decoding: content, as: UTF8.self)), from: start)
        return
      }
      guard byte == UInt8(ascii: "\\"), let escaped = peek else {
        content.append(byte)
        continue
      }
      position += 1
      switch escaped {
      case UInt8(ascii: "n"): content.append(UInt8(ascii: "\n"))
      case UInt8(ascii: "t"): content.append(UInt8(ascii: "\t"))
      case UInt8(ascii: "r"): content.append(UInt8(ascii: "\r"))
      default: content.append(escaped)
      }
    }
    fail("the string does not end on its line", start)
  }

  private mutating func fail(_ message: String, _ start: Int) {
    errors.append((message, line, start - lineStart + 1))
  }
}
