/// A JSON document; objects keep the order of their keys.
///
/// Reads what RFC 8259 allows, and the bare `NaN`, `Infinity` and `-Infinity` that Python writes
/// into model folders. Duplicate keys are errors.
package indirect enum JSONValue: Hashable, Sendable {
  case null
  case bool(Bool)
  /// A number without fraction and exponent that fits 64 bits.
  case int(Int)
  case double(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  /// A key with its value.
  package struct Member: Hashable, Sendable {
    package var key: String
    package var value: JSONValue

    package init(_ key: String, _ value: JSONValue) {
      self.key = key
      self.value = value
    }
  }

  /// Parses a document.
  ///
  /// - Throws: `FormatError` with line and column.
  package static func parse(
    _ bytes: some Sequence<UInt8>, path: String
  ) throws(FormatError) -> JSONValue {
    var parser = JSONParser(bytes: Array(bytes), path: path)
    return try parser.document()
  }

  /// The members of an object, or nil.
  package var members: [Member]? {
    if case .object(let members) = self { members } else { nil }
  }

  /// The member of an object with the key, or nil.
  package subscript(key: String) -> JSONValue? {
    members?.first { $0.key == key }?.value
  }

  package var string: String? { if case .string(let text) = self { text } else { nil } }
  package var bool: Bool? { if case .bool(let flag) = self { flag } else { nil } }
  package var int: Int? { if case .int(let number) = self { number } else { nil } }
  package var array: [JSONValue]? { if case .array(let list) = self { list } else { nil } }
  package var double: Double? {
    switch self {
    case .int(let number): Double(number)
    case .double(let number): number
    default: nil
    }
  }

  /// What messages call a value of this kind.
  package var kindName: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .int: "an integer"
    case .double: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

/// A recursive-descent parser over bytes with bounded depth.
private struct JSONParser {
  let bytes: [UInt8]
  let path: String
  var position = 0
  private var depth = 0

  init(bytes: [UInt8], path: String) {
    self.bytes = bytes
    self.path = path
  }

  mutating func document() throws(FormatError) -> JSONValue {
    let value = try value()
    skipSpace()
    if position < bytes.count { throw fail("expected the end of the document") }
    return value
  }

  private func fail(_ message: String) -> FormatError {
    let before = bytes[..<min(position, bytes.count)]
    let line = before.count { $0 == UInt8(ascii: "\n") } + 1
    let column = before.count - (before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0) + 1
    return FormatError(path, "line \(line), column \(column)", "not valid JSON: \(message)")
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d {
      position += 1
    }
  }

  private mutating func accept(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard peek == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func word(_ text: StaticString, _ value: JSONValue) throws(FormatError)
    -> JSONValue
  {
    let expected = text.withUTF8Buffer { Array($0) }
    guard bytes[position...].starts(with: expected) else {
      throw fail("unexpected word")
    }
    position += expected.count
    return value
  }

  private mutating func value() throws(FormatError) -> JSONValue {
    skipSpace()
    guard let byte = peek else { throw fail("expected a value, found the end") }
    depth += 1
    defer { depth -= 1 }
    if depth > 200 { throw fail("nested deeper than 200 levels") }
    switch byte {
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "N"): return try word("NaN", .double(.nan))
    case UInt8(ascii: "I"): return try word("Infinity", .double(.infinity))
    case UInt8(ascii: "-") where bytes[position...].dropFirst().first == UInt8(ascii: "I"):
      return try word("-Infinity", .double(-.infinity))
    default: return try number()
    }
  }

  private mutating func object() throws(FormatError) -> JSONValue {
    position += 1
    var members: [JSONValue.Member] = []
    var keys: Set<String> = []
    if accept("}") { return .object([]) }
    repeat {
      skipSpace()
      guard peek == UInt8(ascii: "\"") else { throw fail("expected a key") }
      let key = try string()
      if !keys.insert(key).inserted { throw fail("the key \"\(key)\" occurs twice") }
      guard accept(":") else { throw fail("expected ':' after a key") }
      members.append(JSONValue.Member(key, try value()))
    } while accept(",")
    guard accept("}") else { throw fail("expected ',' or '}'") }
    return .object(members)
  }

  private mutating func array() throws(FormatError) -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    if accept("]") { return .array([]) }
    repeat { elements.append(try value()) } while accept(",")
    guard accept("]") else { throw fail("expected ',' or ']'") }
    return .array(elements)
  }

  private mutating func number() throws(FormatError) -> JSONValue {
    let start = position
    var isInteger = true
    func isDigit(_ byte: UInt8?) -> Bool { byte.map { 0x30...0x39 ~= $0 } ?? false }
    if peek == UInt8(ascii: "-") { position += 1 }
    guard isDigit(peek) else { throw fail("expected a value") }
    if peek == UInt8(ascii: "0"), position + 1 < bytes.count, isDigit(bytes[position + 1]) {
      throw fail("a number starts with a superfluous zero")
    }
    while isDigit(peek) { position += 1 }
    if peek == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      guard isDigit(peek) else { throw fail("expected digits after '.'") }
      while isDigit(peek) { position += 1 }
    }
    if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
      isInteger = false
      position += 1
      if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { position += 1 }
      guard isDigit(peek) else { throw fail("expected digits in the exponent") }
      while isDigit(peek) { position += 1 }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let number = Int(text) { return .int(number) }
    guard let number = Double(text) else { throw fail("'\(text)' is not a number") }
    return .double(number)
  }

  private mutating func string() throws(FormatError) -> String {
    position += 1
    var content: [UInt8] = []
    while let byte = peek {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: content, as: UTF8.self) else {
          throw fail("a string is not valid UTF-8")
        }
        return text
      case UInt8(ascii: "\\"):
        try escape(&content)
      case 0..<0x20:
        throw fail("a string holds a control character")
      default:
        content.append(byte)
      }
    }
    throw fail("a string does not end")
  }

  private mutating func escape(_ content: inout [UInt8]) throws(FormatError) {
    guard let byte = peek else { throw fail("a string does not end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
    case UInt8(ascii: "b"): content.append(0x08)
    case UInt8(ascii: "f"): content.append(0x0c)
    case UInt8(ascii: "n"): content.append(0x0a)
    case UInt8(ascii: "r"): content.append(0x0d)
    case UInt8(ascii: "t"): content.append(0x09)
    case UInt8(ascii: "u"):
      var code = try hex4()
      if 0xd800..<0xdc00 ~= code {
        guard bytes[position...].starts(with: Array("\\u".utf8)) else {
          throw fail("a lone surrogate")
        }
        position += 2
        let low = try hex4()
        guard 0xdc00..<0xe000 ~= low else { throw fail("a lone surrogate") }
        code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw fail("a lone surrogate") }
      content.append(contentsOf: Array(String(Character(scalar)).utf8))
    default: throw fail("unknown escape")
    }
  }

  private mutating func hex4() throws(FormatError) -> UInt32 {
    guard position + 4 <= bytes.count,
      let text = String(validating: bytes[position..<position + 4], as: UTF8.self),
      text.allSatisfy(\.isHexDigit), let code = UInt32(text, radix: 16)
    else { throw fail("expected four hexadecimal digits") }
    position += 4
    return code
  }
}
