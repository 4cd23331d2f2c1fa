import MoscFormats

/// Names and values of a picture's `parameters` line, as the A1111 web UI writes and reads them.
package enum InfotextSyntax {
  /// A value as it is written: as a JSON string if it has a comma, a colon or a line feed.
  package static func quote(_ value: String) -> String {
    value.unicodeScalars.contains { ",:\n".unicodeScalars.contains($0) }
      ? JSONText.quote(value) : value
  }

  /// A value as it is read: without the quotes if it is a JSON string, else as written.
  package static func unquote(_ text: String) -> String {
    guard text.unicodeScalars.first == "\"", text.unicodeScalars.last == "\"",
      text.unicodeScalars.count > 1
    else { return text }
    // What is no JSON string stays as written: this is how the language is read.
    let value = Result { () throws(FormatError) in
      try JSONValue.parse(text.utf8, path: "parameters")
    }
    guard case .success(.string(let string)) = value else { return text }
    return string
  }

  /// The `name: value` pairs of a line; what has no name is passed over.
  static func pairs(_ line: some Collection<Unicode.Scalar>) -> [(name: Scalars, value: Scalars)] {
    let source = Scalars(line)
    var result: [(name: Scalars, value: Scalars)] = []
    var place = 0
    while place < source.count {
      guard source[place].isWord else {
        place += 1
        continue
      }
      var end = place + 1
      while end < source.count, source[end].isWord || " -/".unicodeScalars.contains(source[end]) {
        end += 1
      }
      guard end - place >= 2, end < source.count, source[end] == ":" else {
        // No later start within the run does better, except after a part without letters.
        place = end
        continue
      }
      let (value, next) = value(source, end + 1)
      result.append((Scalars(source[place..<end]), value))
      place = next
    }
    return result
  }

  /// The value that begins after a colon, and the place after the comma that ends it.
  private static func value(_ source: Scalars, _ start: Int) -> (Scalars, next: Int) {
    var begin = start
    while begin < source.count, source[begin].isSpace { begin += 1 }
    if let end = quoteEnd(source, begin), end == source.count || source[end] == "," {
      return (Scalars(source[begin..<end]), end + 1)
    }
    let end = source[begin...].firstIndex(of: ",") ?? source.count
    return (Scalars(source[begin..<end]), end + 1)
  }

  /// The place after a string in quotes that is not empty.
  private static func quoteEnd(_ source: Scalars, _ start: Int) -> Int? {
    guard start < source.count, source[start] == "\"" else { return nil }
    var place = start + 1
    while place < source.count, source[place] != "\"" {
      if source[place] == "\\" {
        guard place + 1 < source.count, source[place + 1] != "\n" else { return nil }
        place += 1
      }
      place += 1
    }
    return place < source.count && place > start + 1 ? place + 1 : nil
  }

  /// The two numbers of a value such as `512x768`.
  static func size(_ text: String) -> (String, String)? {
    var scalars = text.scalars[...]
    if scalars.last == "\n" { scalars = scalars.dropLast() }
    let parts = scalars.split(separator: "x", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0.digit != nil } })
    else { return nil }
    return (parts[0].text, parts[1].text)
  }
}
