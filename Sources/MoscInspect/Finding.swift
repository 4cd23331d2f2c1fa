import MoscFormats
import MoscReport

/// What `mosc inspect` says of a file or folder: the same for people and for programs.
package struct Finding: Sendable {
  /// What kinds of things there are.
  package enum Kind: String, CaseIterable, Hashable, Sendable {
    case adapter, cacheEntry = "cache entry", checkpoint, code, condition = "condition adapter"
    case configuration, embedding, log, model, module, page, part = "part of a model", picture
    case recording, report, scene, state = "training state", statistics, tensors, text
    case trainingPictures = "training pictures"
  }

  package var path: String
  package var kind: Kind
  /// The kind in a few words, such as "an ED-LoRA concept".
  package var title: String
  package var facts: [JSONValue.Member] = []
  /// Commands that take it.
  package var commands: [String] = []
  package var tensors: [TensorLine] = []

  /// A tensor of the file.
  package struct TensorLine: Hashable, Sendable {
    package var name: String
    package var type: String
    package var shape: [Int]

    package init(_ name: String, _ type: ElementType, _ shape: [Int]) {
      (self.name, self.type, self.shape) = (name, type.rawValue, shape)
    }
  }

  package init(_ path: String, _ kind: Kind, _ title: String) {
    (self.path, self.kind, self.title) = (path, kind, title)
  }

  /// Adds a fact; one that is empty is none.
  package mutating func add(_ name: String, _ value: JSONValue?) {
    switch value {
    case nil, .null, .string(""), .array([]), .object([]): return
    case let value?: facts.append(JSONValue.Member(name, value))
    }
  }

  /// Adds the size in bytes, which people read as megabytes.
  package mutating func add(bytes: Int) { add(Self.sizeName, bytes) }

  package mutating func add(_ name: String, _ text: String?) { add(name, text.map { .string($0) }) }
  package mutating func add(_ name: String, _ number: Int) { add(name, .int(number)) }
  package mutating func add(_ name: String, _ list: [String]) {
    add(name, .array(list.map { .string($0) }))
  }

  /// Sizes as people read them.
  package static func size(_ bytes: Int) -> String {
    switch bytes {
    case ..<10_000: "\(bytes) bytes"
    case ..<1_000_000: "\((Double(bytes) / 100).rounded() / 10) kB"
    case ..<10_000_000_000: "\((Double(bytes) / 1e5).rounded() / 10) MB"
    default: "\((Double(bytes) / 1e8).rounded() / 10) GB"
    }
  }

  // MARK: As text and JSON

  static let sizeName = "bytes"
  /// Longer values are cut in the text for people.
  private static let mostCharacters = 300

  /// The finding as lines.
  package func text(withTensors: Bool) -> String {
    var lines = ["\(path): \(title)"]
    for fact in facts { lines += Self.lines(fact, "  ") }
    if !tensors.isEmpty, !withTensors {
      lines.append("  \(tensors.count) tensors, which --tensors lists")
    }
    if withTensors { lines += tensors.map { "  \($0.name): \($0.type)\($0.shape)" } }
    lines += commands.map { "  for: \($0)" }
    return lines.joined(separator: "\n")
  }

  /// The finding as one JSON object.
  package func json(withTensors: Bool) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("path", .string(path)), .init("kind", .string(kind.rawValue)), .init("title", .string(title)),
    ]
    members += facts.map { .init(Self.key($0.key), $0.value) }
    if !commands.isEmpty { members.append(.init("commands", .array(commands.map { .string($0) }))) }
    if withTensors {
      members.append(
        .init(
          "tensors",
          .array(
            tensors.map {
              .fields([
                ("name", .string($0.name)), ("type", .string($0.type)),
                ("shape", .array($0.shape.map { .int($0) })),
              ])
            })))
    } else if !tensors.isEmpty {
      members.append(.init("tensor_count", .int(tensors.count)))
    }
    return .object(members)
  }

  private static func key(_ name: String) -> String { name.replacing(" ", with: "_") }

  private static func lines(_ fact: JSONValue.Member, _ indent: String) -> [String] {
    let deeper = indent + "  "
    if fact.key == sizeName, let bytes = fact.value.int { return ["\(indent)size: \(size(bytes))"] }
    switch fact.value {
    case .object(let members):
      return ["\(indent)\(fact.key):"] + members.flatMap { lines($0, deeper) }
    case .array(let values) where values.contains(where: { $0.members != nil }):
      return ["\(indent)\(fact.key):"]
        + values.flatMap { value in
          (value.members ?? []).enumerated().flatMap { index, member in
            lines(member, index == 0 ? indent + "- " : deeper)
          }
        }
    case .array(let values):
      return ["\(indent)\(fact.key): " + cut(values.map(plain).joined(separator: ", "))]
    case .string(let text) where text.contains("\n"):
      return ["\(indent)\(fact.key):"]
        + text.split(separator: "\n", omittingEmptySubsequences: false).map { deeper + $0 }
    default:
      return ["\(indent)\(fact.key): \(cut(plain(fact.value)))"]
    }
  }

  private static func plain(_ value: JSONValue) -> String { value.string ?? "\(value)" }

  private static func cut(_ text: String) -> String {
    text.count <= mostCharacters ? text : text.prefix(mostCharacters) + "…"
  }
}
