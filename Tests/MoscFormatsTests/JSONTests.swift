import Foundation
import MoscFormats
import Testing

/// The JSON reader: values, order, Python's extras and mistakes.
@Suite struct JSONTests {
  private func parse(_ text: String) throws -> JSONValue {
    try JSONValue.parse(Array(text.utf8), path: "t.json")
  }

  @Test func values() throws {
    let value = try parse(
      "{\"b\": [1, -2.5e1, true, null, \"a\\n\\u00e9\\ud83d\\ude42\"], \"a\": {}}")
    #expect(value.members?.map(\.key) == ["b", "a"])
    #expect(
      value["b"]?.array == [.int(1), .double(-25), .bool(true), .null, .string("a\né🙂")])
    #expect(try parse("[-Infinity, Infinity]").array?.map(\.double) == [-.infinity, .infinity])
    #expect(try parse("NaN").double?.isNaN == true)
    #expect(try parse(" 12345678901234567890 ").double == 12345678901234567168)
    #expect(try parse(value.description) == value)
  }

  @Test(arguments: [
    "", "{", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "{\"a\":1,\"a\":2}", "01", "1.", "-", "tru", "\"a",
    "\"\\q\"", "\"\\ud800\"", "\"\\ud83d \\ude42\"", "\"\u{1}\"", "1 2", "[1 2]", "nul",
    "{1:2}", "+1", "\"\\u12g4\"",
  ])
  func mistakes(_ text: String) throws {
    let error = try #require(throws: FormatError.self) { try parse(text) }
    #expect(error.description.contains("t.json: line 1"))
  }

  @Test func deepNestingIsRefused() {
    #expect(throws: FormatError.self) { try parse(String(repeating: "[", count: 100_000)) }
  }

  @Test func objectsNameKeysInErrors() throws {
    let members = try #require(try parse("{\"n\": \"x\", \"l\": [1, \"a\"]}").members)
    let object = JSONObject(path: "c.json", members: members)
    #expect(try object.int("absent", default: 3) == 3)
    for read in [
      { try object.int("n") }, { try object.int("gone") }, { try object.ints("l").count },
    ] {
      let error = try #require(throws: FormatError.self) { try read() }
      #expect(error.description.hasPrefix("c.json: key \""))
    }
  }
}
