import Foundation
import MoscFormats
import Yams

/// A value of a configuration file (YAML, JSON or TOML) with its line.
package struct ConfigNode: Hashable, Sendable {
  /// What a value is.
  package indirect enum Value: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int)
    case double(Double)
    case string(String)
    case sequence([ConfigNode])
    case mapping([Member])
  }

  /// A key with its value.
  package struct Member: Hashable, Sendable {
    package var key: String
    package var node: ConfigNode

    package init(_ key: String, _ node: ConfigNode) {
      self.key = key
      self.node = node
    }
  }

  package var value: Value
  /// The line in the file, from 1; nil where it is not known.
  package var line: Int?

  package init(_ value: Value, line: Int? = nil) {
    self.value = value
    self.line = line
  }

  /// The members of a mapping, or nil.
  package var members: [Member]? { if case .mapping(let members) = value { members } else { nil } }

  /// The elements of a sequence, or nil.
  package var elements: [ConfigNode]? {
    if case .sequence(let elements) = value { elements } else { nil }
  }

  /// The member of a mapping with the key, or nil.
  package subscript(key: String) -> ConfigNode? { members?.first { $0.key == key }?.node }

  /// What messages call the value.
  package var description: String {
    switch value {
    case .null: "null"
    case .bool(let flag): "\(flag)"
    case .int(let number): "\(number)"
    case .double(let number): "\(number)"
    case .string(let text): "'\(text)'"
    case .sequence(let elements): "a list of \(elements.count)"
    case .mapping: "a group of keys"
    }
  }
}

extension ConfigNode {
  /// More nodes than this are an attack by aliases, not a configuration.
  private static let maximumNodes = 100_000

  /// Reads a configuration file by its extension: `.json`, `.toml`, else YAML.
  ///
  /// - Throws: `FormatError` with the line.
  package static func read(_ url: URL) throws(FormatError) -> ConfigNode {
    let data = try readFile(url)
    switch url.pathExtension.lowercased() {
    case "json": return ConfigNode(json: try JSONValue.parse(data, path: url.path))
    case "toml": return try TOMLReader.parse(try text(data, url), path: url.path)
    default: return try yaml(try text(data, url), path: url.path)
    }
  }

  private static func text(_ data: Data, _ url: URL) throws(FormatError) -> String {
    guard let text = String(bytes: data, encoding: .utf8) else {
      throw FormatError(url.path, nil, "is not UTF-8 text")
    }
    return text
  }

  /// Parses YAML; the path is for errors.
  package static func yaml(_ text: String, path: String) throws(FormatError) -> ConfigNode {
    if let line = lineOfDeepNesting(text) {
      throw FormatError(path, "line \(line)", "values are nested too deeply")
    }
    let root: Node?
    do {
      root = try compose(yaml: text)
    } catch {
      throw Self.fault(error, path)
    }
    var left = maximumNodes
    return try ConfigNode(root ?? Node("null", Tag(.null)), path, &left)
  }

  /// The first line that nests more than 64 levels; the parser would exhaust the stack.
  ///
  /// Counts brackets without regard to quotes, blanks before the first word, and list marks in a
  /// row.
  private static func lineOfDeepNesting(_ text: String) -> Int? {
    var (line, brackets, marks, isIndent) = (1, 0, 0, true)
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\n"): (line, marks, isIndent) = (line + 1, 0, true)
      case UInt8(ascii: "["), UInt8(ascii: "{"): (brackets, isIndent) = (brackets + 1, false)
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        (brackets, isIndent) = (max(0, brackets - 1), false)
      case UInt8(ascii: " ") where isIndent: marks += 1
      case UInt8(ascii: "-") where isIndent, UInt8(ascii: "?") where isIndent: marks += 1
      default: isIndent = false
      }
      if brackets > 64 || marks > 128 { return line }
    }
    return nil
  }

  private static func fault(_ error: any Error, _ path: String) -> FormatError {
    switch error as? YamlError {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      FormatError(path, "line \(mark.line)", problem)
    case .duplicatedKeysInMapping(let keys, let context):
      FormatError(
        path, "line \(context.mark.line)",
        "the key \(keys.map { "'\($0)'" }.joined(separator: ", ")) occurs twice")
    default:
      FormatError(path, nil, "cannot be read as YAML: \(error)")
    }
  }

  private init(_ node: Node, _ path: String, _ left: inout Int) throws(FormatError) {
    left -= 1
    let line = node.mark?.line
    guard left > 0 else {
      throw FormatError(path, line.map { "line \($0)" }, "the configuration is too large")
    }
    switch node {
    case .mapping(let mapping):
      var members: [Member] = []
      for (key, value) in mapping {
        guard let name = key.scalar?.string else {
          throw FormatError(
            path, key.mark.map { "line \($0.line)" }, "expected a word as key, found a group")
        }
        members.append(Member(name, try ConfigNode(value, path, &left)))
        // A key's line says more than that of a value that starts on the next one.
        members[members.count - 1].node.line = key.mark?.line ?? line
      }
      self.init(.mapping(members), line: line)
    case .sequence(let sequence):
      var elements: [ConfigNode] = []
      for element in sequence { elements.append(try ConfigNode(element, path, &left)) }
      self.init(.sequence(elements), line: line)
    case .scalar(let scalar):
      self.init(Self.scalar(node, scalar.string), line: line)
    case .alias:
      throw FormatError(path, line.map { "line \($0)" }, "an alias refers to nothing")
    }
  }

  private static func scalar(_ node: Node, _ text: String) -> Value {
    switch node.any {
    case let flag as Bool: .bool(flag)
    case let number as Int: .int(number)
    case let number as Double: .double(number)
    case is NSNull: .null
    default: .string(text)
    }
  }

  private init(json: JSONValue) {
    switch json {
    case .null: self.init(.null)
    case .bool(let flag): self.init(.bool(flag))
    case .int(let number): self.init(.int(number))
    case .double(let number): self.init(.double(number))
    case .string(let text): self.init(.string(text))
    case .array(let elements): self.init(.sequence(elements.map { ConfigNode(json: $0) }))
    case .object(let members):
      self.init(.mapping(members.map { Member($0.key, ConfigNode(json: $0.value)) }))
    }
  }
}
