import MoscFormats

/// What is wrong with a dataset or a configuration: everything that was found, not only the first.
package struct DatasetError: Error, Hashable, Sendable, CustomStringConvertible {
  package var problems: [FormatError]

  package init(_ problems: [FormatError]) { self.problems = problems }

  package var description: String {
    if problems.count == 1 { return problems[0].description }
    let lines = problems.map { "  \($0.description)" }
    return "\(problems.count) problems with the training data:\n" + lines.joined(separator: "\n")
  }
}

/// A group of keys of a configuration file, which are all read or complained about.
///
/// Readers return nil for an absent or null key, and note a problem for one of another type;
/// `finish` notes a problem for every key that nothing asked for.
struct ConfigSection {
  let path: String
  /// The keys from the root to this group, joined by dots.
  let place: String
  let line: Int?
  private let members: [ConfigNode.Member]
  private var asked: Set<String> = []
  private(set) var problems: [FormatError] = []
  /// Keys that are accepted without effect, with the reason.
  private(set) var notes: [String] = []

  init(_ node: ConfigNode, path: String, place: String = "") {
    self.path = path
    self.place = place
    line = node.line
    members = node.members ?? []
    if node.members == nil, node.value != .null {
      problems.append(
        FormatError(
          path, Self.located(place, node.line),
          "expected a group of keys, found \(node.description)"))
    }
  }

  /// The keys in their order.
  var keys: [String] { members.map(\.key) }

  mutating func has(_ key: String) -> Bool { node(key) != nil }

  /// The value of a key; absent and null are the same.
  mutating func node(_ key: String) -> ConfigNode? {
    asked.insert(key)
    guard let node = members.first(where: { $0.key == key })?.node, node.value != .null else {
      return nil
    }
    return node
  }

  /// Whether a key is written down, be it as null.
  mutating func isPresent(_ key: String) -> Bool {
    asked.insert(key)
    return members.contains { $0.key == key }
  }

  mutating func string(_ key: String) -> String? {
    guard let node = node(key) else { return nil }
    switch node.value {
    case .string(let text): return text
    case .int, .double, .bool: return node.description
    default:
      problem(key, "expected a text, found \(node.description)")
      return nil
    }
  }

  mutating func int(_ key: String, _ range: ClosedRange<Int> = 0...Int.max) -> Int? {
    guard let node = node(key) else { return nil }
    var result: Int?
    if case .int(let number) = node.value { result = number }
    // `!!float 10000` is how the reference writes large counts.
    if case .double(let number) = node.value { result = Int(exactly: number) }
    guard let number = result, range.contains(number) else {
      let limit = range.upperBound == Int.max ? "" : "…\(range.upperBound)"
      problem(
        key, "expected a whole number, \(range.lowerBound)\(limit)"
          + (limit.isEmpty ? " or more" : "") + ", found \(node.description)")
      return nil
    }
    return number
  }

  mutating func double(
    _ key: String, _ range: ClosedRange<Double> = 0...Double.greatestFiniteMagnitude
  ) -> Double? {
    guard let node = node(key) else { return nil }
    guard let number = node.number, range.contains(number) else {
      let limit = range.upperBound == .greatestFiniteMagnitude ? " or more" : "…\(range.upperBound)"
      problem(key, "expected a number, \(range.lowerBound)\(limit), found \(node.description)")
      return nil
    }
    return number
  }

  mutating func bool(_ key: String) -> Bool? {
    guard let node = node(key) else { return nil }
    guard case .bool(let flag) = node.value else {
      problem(key, "expected true or false, found \(node.description)")
      return nil
    }
    return flag
  }

  /// A list of numbers, or one number as a list of one.
  mutating func doubles(_ key: String) -> [Double]? {
    guard let node = node(key) else { return nil }
    if let number = node.number { return [number] }
    guard let elements = node.elements, case let numbers = elements.compactMap(\.number),
      numbers.count == elements.count, !numbers.isEmpty
    else {
      problem(key, "expected a list of numbers, found \(node.description)")
      return nil
    }
    return numbers
  }

  /// Pairs of texts in their order.
  mutating func mapping(_ key: String) -> [(key: String, value: String)]? {
    guard let node = node(key) else { return nil }
    guard let members = node.members else {
      problem(key, "expected pairs of texts, found \(node.description)")
      return nil
    }
    return members.map { member in
      if case .string(let text) = member.node.value { return (member.key, text) }
      return (member.key, member.node.value == .null ? "" : member.node.description)
    }
  }

  /// The group under a key; an empty one when it is absent.
  mutating func section(_ key: String) -> ConfigSection {
    ConfigSection(
      node(key) ?? ConfigNode(.mapping([]), line: line), path: path, place: name(key))
  }

  /// The groups of a list under a key.
  mutating func sections(_ key: String) -> [ConfigSection] {
    guard let node = node(key) else { return [] }
    guard let elements = node.elements else {
      problem(key, "expected a list, found \(node.description)")
      return []
    }
    return elements.enumerated().map { index, element in
      ConfigSection(element, path: path, place: "\(name(key))[\(index)]")
    }
  }

  /// Accepts a key that has no effect here.
  mutating func ignore(_ key: String, because reason: String) {
    if isPresent(key) { notes.append("\(path): '\(name(key))' is ignored: \(reason)") }
  }

  /// Notes a problem with a key.
  mutating func problem(_ key: String, _ message: String) {
    let line = members.first { $0.key == key }?.node.line ?? line
    problems.append(FormatError(path, Self.located(name(key), line), message))
  }

  /// Notes a problem with the group as a whole.
  mutating func problem(_ message: String) {
    problems.append(FormatError(path, Self.located(place, line), message))
  }

  /// Takes over what a group below found.
  mutating func absorb(_ section: ConfigSection) {
    problems += section.problems
    notes += section.notes
  }

  /// Complains about every key that nothing asked for.
  mutating func finish() {
    for member in members where !asked.contains(member.key) {
      let nearest = NearestName.suggest(member.key, in: asked.sorted())
      problem(
        member.key, "unknown key" + (nearest.map { "; the nearest known key is '\($0)'" } ?? ""))
    }
  }

  private func name(_ key: String) -> String { place.isEmpty ? key : "\(place).\(key)" }

  private static func located(_ place: String, _ line: Int?) -> String? {
    let parts = [line.map { "line \($0)" }, place.isEmpty ? nil : "'\(place)'"].compactMap { $0 }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }
}

extension ConfigNode {
  /// The number, also one that YAML takes for a text, such as `1e-3`.
  var number: Double? {
    switch value {
    case .int(let number): Double(number)
    case .double(let number): number
    case .string(let text): Double(text)
    default: nil
    }
  }
}
