import MoscFormats
import MoscIR

/// Reads the keys of one `config.json` and remembers which were read.
///
/// Errors name the file, the key, what was found and what was expected: `config.missing`,
/// `config.value`.
package struct ConfigReader: Sendable {
  /// The file as error messages name it.
  package let file: String
  private let fields: [String: JSONValue]
  private var read: Set<String> = []

  package init(_ object: JSONObject) {
    file = object.path
    fields = Dictionary(
      object.members.map { ($0.key, Self.normal($0.value)) },
      uniquingKeysWith: { first, _ in first })
  }

  /// Whole numbers as integers, however they are written: Python writes both 1 and 1.0.
  private static func normal(_ value: JSONValue) -> JSONValue {
    switch value {
    case .double(let number): Int(exactly: number).map { .int($0) } ?? value
    case .array(let items): .array(items.map(normal))
    default: value
    }
  }

  /// The keys that no one asked for, without those that begin with an underscore.
  package var unreadKeys: [String] {
    fields.keys.filter { !read.contains($0) && !$0.hasPrefix("_") }.sorted()
  }

  /// The value of a key, nil when it is absent.
  package mutating func value(_ key: String) -> JSONValue? {
    read.insert(key)
    return fields[key]
  }

  /// Marks keys as known although their value changes nothing.
  package mutating func accept(_ keys: String...) { read.formUnion(keys) }

  /// Refuses a config of another class; the key may be absent.
  package mutating func expectClass(_ name: String) throws(Diagnostic) {
    try require("_class_name", .string(name))
  }

  /// Refuses any value but the given ones; the key may be absent.
  package mutating func require(
    _ key: String, _ only: JSONValue, or other: JSONValue? = nil
  ) throws(Diagnostic) {
    guard let found = value(key), found != only, found != other else { return }
    let expected = other.map { "\(only) or \($0)" } ?? "\(only)"
    throw error(key, found, "\(expected); other variants are not supported")
  }

  /// Throws an error about a key unless a condition holds.
  package func check(
    _ holds: Bool, _ key: String, _ found: String, _ expected: String
  ) throws(Diagnostic) {
    if holds { return }
    throw Diagnostic(
      "config.value", "\(file): key '\(key)' is \(found), expected \(expected)")
  }

  /// A positive integer; counts of layers have a low bound, so that a broken file cannot ask for a
  /// network without end.
  package mutating func int(
    _ key: String, default fallback: Int, atMost limit: Int = largest
  ) throws(Diagnostic) -> Int {
    guard let found = value(key) else { return fallback }
    return try number(key, found, found, atMost: limit)
  }

  private func number(
    _ key: String, _ item: JSONValue, _ found: JSONValue, atMost limit: Int
  ) throws(Diagnostic) -> Int {
    guard case .int(let number) = item, number > 0, number <= limit else {
      throw error(key, found, "a positive integer up to \(limit)")
    }
    return number
  }

  /// A number.
  package mutating func double(
    _ key: String, default fallback: Double
  ) throws(Diagnostic) -> Double {
    switch value(key) {
    case nil: return fallback
    case .int(let number)?: return Double(number)
    case .double(let number)? where number.isFinite: return number
    case let found?: throw error(key, found, "a number")
    }
  }

  /// `true` or `false`.
  package mutating func bool(_ key: String, default fallback: Bool) throws(Diagnostic) -> Bool {
    switch value(key) {
    case nil: return fallback
    case .bool(let flag)?: return flag
    case let found?: throw error(key, found, "true or false")
    }
  }

  /// What one of several values stands for.
  package mutating func choice<Choice>(
    _ key: String, _ choices: [JSONValue: Choice], default fallback: JSONValue
  ) throws(Diagnostic) -> Choice {
    let found = value(key) ?? fallback
    if let choice = choices[found] { return choice }
    throw error(key, found, Self.alternatives(choices.keys))
  }

  /// A list of positive integers that must be there.
  package mutating func ints(
    _ key: String, atMost limit: Int = largest
  ) throws(Diagnostic) -> [Int] {
    guard let found = value(key) else { throw missing(key, "a list of positive integers") }
    guard case .array(let items) = found, !items.isEmpty, items.count <= 16 else {
      throw error(key, found, "a list of 1 to 16 positive integers")
    }
    return try items.map { (item) throws(Diagnostic) in
      try number(key, item, found, atMost: limit)
    }
  }

  /// A positive integer for all levels, or a list with one for each.
  package mutating func intPerLevel(
    _ key: String, _ levels: Int, default fallback: Int, atMost limit: Int = largest
  ) throws(Diagnostic) -> [Int] {
    if case .array(let items)? = value(key) {
      guard items.count == levels else {
        throw error(
          key, .array(items), "one number, or \(levels) numbers as block_out_channels has")
      }
      return try ints(key, atMost: limit)
    }
    return [Int](repeating: try int(key, default: fallback, atMost: limit), count: levels)
  }

  /// A list of known words of a given length that must be there.
  package mutating func strings<Choice>(
    _ key: String, count: Int, among words: [String: Choice]
  ) throws(Diagnostic) -> [Choice] {
    let known = Self.alternatives(words.keys.map { .string($0) })
    guard let found = value(key) else { throw missing(key, "a list of \(known)") }
    guard case .array(let items) = found, items.count == count else {
      throw error(key, found, "a list of \(count) block types, as block_out_channels has")
    }
    return try items.map { (item) throws(Diagnostic) in
      guard case .string(let word) = item, let choice = words[word] else {
        throw error(key, item, known)
      }
      return choice
    }
  }

  /// The edge of a square size: a number, or two equal ones; nil when absent or null.
  package mutating func squareSize(_ key: String) throws(Diagnostic) -> Int? {
    switch value(key) {
    case nil, .null?: return nil
    case .array(let sides)? where sides.count == 2 && sides[0] == sides[1]:
      if case .int(let side) = sides[0], side > 0 { return side }
      throw error(key, .array(sides), "a positive integer")
    default: return try int(key, default: 1)
    }
  }

  /// No extent of a network comes near this; it keeps products of extents from overflowing.
  package static let largest = 1 << 20

  private static func alternatives(_ values: some Sequence<JSONValue>) -> String {
    values.map(\.description).sorted().joined(separator: " or ")
  }

  private func missing(_ key: String, _ expected: String) -> Diagnostic {
    Diagnostic("config.missing", "\(file): key '\(key)' is missing, expected \(expected)")
  }

  private func error(_ key: String, _ found: JSONValue, _ expected: String) -> Diagnostic {
    Diagnostic("config.value", "\(file): key '\(key)' is \(found), expected \(expected)")
  }
}
