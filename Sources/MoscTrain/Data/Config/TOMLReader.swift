import MoscFormats

/// Reads the part of TOML that dataset configurations use: tables, arrays of tables, dotted and
/// quoted keys, strings, numbers, booleans, arrays and inline tables. No dates.
///
/// Source: the TOML 1.0 specification.
package struct TOMLReader {
  private let path: String
  private let text: [Character]
  private var position = 0
  private var line = 1

  private init(_ text: String, path: String) {
    self.path = path
    // Swift takes "\r\n" for one character, which would hide the end of the line.
    self.text = Array(text.replacing("\r\n", with: "\n"))
  }

  /// Parses a document; the path is for errors.
  package static func parse(_ text: String, path: String) throws(FormatError) -> ConfigNode {
    var reader = TOMLReader(text, path: path)
    return try reader.document()
  }

  private mutating func document() throws(FormatError) -> ConfigNode {
    var root = ConfigNode(.mapping([]), line: 1)
    var table: [String] = []
    while true {
      skipBlank(lines: true)
      guard let next = peek else { return root }
      if next == "[" {
        table = try header(&root)
      } else {
        let start = line
        let key = try dottedKey()
        try expect("=")
        skipBlank()
        let value = try value(depth: 0)
        try insert(value, at: table + key, line: start, into: &root)
        try endOfLine()
      }
    }
  }

  /// `[a.b]` or `[[a.b]]`; the path to where its keys go.
  private mutating func header(_ root: inout ConfigNode) throws(FormatError) -> [String] {
    let start = line
    position += 1
    let isArray = peek == "["
    if isArray { position += 1 }
    let key = try dottedKey()
    try expect("]")
    if isArray { try expect("]") }
    try endOfLine()
    let name = key.joined(separator: ".")
    let fault = FormatError(path, "line \(start)", "'\(name)' is defined twice")
    try update(&root, key, start) { (node: inout ConfigNode?) throws(FormatError) in
      let empty = ConfigNode(.mapping([]), line: start)
      if isArray {
        guard let elements = node.map(\.elements) ?? [] else { throw fault }
        node = ConfigNode(.sequence(elements + [empty]), line: start)
      } else if node == nil {
        node = empty
      } else if node?.members == nil {
        throw fault
      }
    }
    return key
  }

  private mutating func insert(
    _ value: ConfigNode, at key: [String], line: Int, into root: inout ConfigNode
  ) throws(FormatError) {
    let fault = FormatError(
      path, "line \(line)", "the key '\(key.joined(separator: "."))' occurs twice")
    try update(&root, key, line) { (node: inout ConfigNode?) throws(FormatError) in
      if node != nil { throw fault }
      node = value
    }
  }

  /// Changes what lies at a path, through the latest element of arrays of tables.
  private func update(
    _ node: inout ConfigNode, _ key: [String], _ line: Int,
    _ change: (inout ConfigNode?) throws(FormatError) -> Void
  ) throws(FormatError) {
    guard let first = key.first else {
      var whole: ConfigNode? = node
      try change(&whole)
      if let whole { node = whole }
      return
    }
    if var elements = node.elements, var last = elements.popLast(), last.members != nil {
      try update(&last, key, line, change)
      node.value = .sequence(elements + [last])
      return
    }
    guard var members = node.members else {
      throw FormatError(path, "line \(line)", "'\(first)' lies inside a plain value")
    }
    let index = members.firstIndex { $0.key == first }
    var child: ConfigNode? = index.map { members[$0].node }
    if key.count == 1 {
      try change(&child)
    } else {
      var inner = child ?? ConfigNode(.mapping([]), line: line)
      try update(&inner, Array(key.dropFirst()), line, change)
      child = inner
    }
    if let child {
      if let index { members[index].node = child } else { members.append(.init(first, child)) }
    }
    node.value = .mapping(members)
  }

  // MARK: Values

  private mutating func value(depth: Int) throws(FormatError) -> ConfigNode {
    guard depth < 64 else { throw fail("values are nested too deeply") }
    let start = line
    switch peek {
    case "\"", "'": return ConfigNode(.string(try string()), line: start)
    case "[": return ConfigNode(.sequence(try array(depth)), line: start)
    case "{": return ConfigNode(.mapping(try inlineTable(depth)), line: start)
    default: return ConfigNode(try plain(), line: start)
    }
  }

  private mutating func array(_ depth: Int) throws(FormatError) -> [ConfigNode] {
    position += 1
    var elements: [ConfigNode] = []
    while true {
      skipBlank(lines: true)
      if peek == "]" { break }
      elements.append(try value(depth: depth + 1))
      skipBlank(lines: true)
      if peek != "," { break }
      position += 1
    }
    try expect("]")
    return elements
  }

  private mutating func inlineTable(_ depth: Int) throws(FormatError) -> [ConfigNode.Member] {
    position += 1
    var table = ConfigNode(.mapping([]), line: line)
    skipBlank()
    while peek != "}" {
      let start = line
      let key = try dottedKey()
      try expect("=")
      skipBlank()
      try insert(try value(depth: depth + 1), at: key, line: start, into: &table)
      skipBlank()
      guard peek == "," else { break }
      position += 1
      skipBlank()
    }
    try expect("}")
    return table.members ?? []
  }

  private mutating func plain() throws(FormatError) -> ConfigNode.Value {
    var word = ""
    while let next = peek, !next.isWhitespace, !",]}#".contains(next) {
      word.append(next)
      position += 1
    }
    if word == "true" { return .bool(true) }
    if word == "false" { return .bool(false) }
    let digits = word.replacing("_", with: "")
    if let number = Int(digits) { return .int(number) }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where digits.hasPrefix(prefix) {
      if let number = Int(digits.dropFirst(2), radix: radix) { return .int(number) }
    }
    if let number = Double(digits), digits.first?.isLetter == false || digits.hasSuffix("inf") {
      return .double(number)
    }
    if word.isEmpty { throw fail("expected a value, found \(found)") }
    throw fail("'\(word)' is no value; a text needs quotes")
  }

  private mutating func string() throws(FormatError) -> String {
    guard let quote = peek else { throw fail("expected a text, found \(found)") }
    let isLong = (1...2).allSatisfy { position + $0 < text.count && text[position + $0] == quote }
    position += isLong ? 3 : 1
    if isLong, peek == "\n" { advance() }
    var result = ""
    while let next = peek {
      if next == quote {
        guard isLong else {
          position += 1
          return result
        }
        if (1...2).allSatisfy({ position + $0 < text.count && text[position + $0] == quote }) {
          position += 3
          return result
        }
      }
      if next == "\n", !isLong { break }
      if next == "\\", quote == "\"" {
        position += 1
        result += try escape(isLong)
      } else {
        result.append(next)
        advance()
      }
    }
    throw fail("the text does not end")
  }

  private mutating func escape(_ isLong: Bool) throws(FormatError) -> String {
    guard let code = peek else { throw fail("the text does not end") }
    if isLong, code.isWhitespace {
      while let next = peek, next.isWhitespace { advance() }
      return ""
    }
    position += 1
    switch code {
    case "n": return "\n"
    case "t": return "\t"
    case "r": return "\r"
    case "b": return "\u{8}"
    case "f": return "\u{c}"
    case "\"", "\\": return String(code)
    case "u", "U":
      let digits = String(text[position..<min(position + (code == "u" ? 4 : 8), text.count)])
      guard let number = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(number) else {
        throw fail("'\\\(code)\(digits)' is no character")
      }
      position += digits.count
      return String(Character(scalar))
    default:
      throw fail("'\\\(code)' is no escape; write paths in single quotes")
    }
  }

  private mutating func dottedKey() throws(FormatError) -> [String] {
    var parts: [String] = []
    while true {
      skipBlank()
      if peek == "\"" || peek == "'" {
        parts.append(try string())
      } else {
        var word = ""
        while let next = peek, next.isASCII, next.isLetter || next.isNumber || "_-".contains(next) {
          word.append(next)
          position += 1
        }
        if word.isEmpty { throw fail("expected a key, found \(found)") }
        parts.append(word)
      }
      skipBlank()
      guard peek == "." else { return parts }
      position += 1
    }
  }

  // MARK: Characters

  private var peek: Character? { position < text.count ? text[position] : nil }

  private var found: String {
    switch peek {
    case nil: "the end of the file"
    case "\n": "the end of the line"
    case let next?: "'\(next)'"
    }
  }

  private mutating func advance() {
    if peek == "\n" { line += 1 }
    position += 1
  }

  private mutating func skipBlank(lines: Bool = false) {
    while let next = peek {
      if next == "#" {
        while let next = peek, next != "\n" { position += 1 }
      } else if next == " " || next == "\t" || (lines && next == "\n") {
        advance()
      } else {
        return
      }
    }
  }

  private mutating func expect(_ character: Character) throws(FormatError) {
    skipBlank()
    guard peek == character else { throw fail("expected '\(character)', found \(found)") }
    position += 1
  }

  private mutating func endOfLine() throws(FormatError) {
    skipBlank()
    guard peek == nil || peek == "\n" else {
      throw fail("expected the end of the line, found \(found)")
    }
  }

  private func fail(_ message: String) -> FormatError { FormatError(path, "line \(line)", message) }
}
