/// What a pickle of plain data and tensors holds.
package enum PickleValue: Sendable {
  case none
  case bool(Bool)
  case int(Int)
  case float(Double)
  case string(String)
  case list([PickleValue])
  case tuple([PickleValue])
  /// Members in the order in which their keys first came.
  case dict([Member])
  case tensor(TorchTensor)

  /// A key of a dictionary.
  package enum Key: Hashable, Sendable, CustomStringConvertible {
    case string(String)
    case int(Int)

    package var description: String {
      switch self {
      case .string(let text): text
      case .int(let number): String(number)
      }
    }
  }

  /// One member of a dictionary.
  package struct Member: Sendable {
    package let key: Key
    package let value: PickleValue
  }

  /// The name of the kind of value for messages.
  package var kindName: String {
    switch self {
    case .none: "None"
    case .bool: "a bool"
    case .int: "an int"
    case .float: "a float"
    case .string: "a string"
    case .list: "a list"
    case .tuple: "a tuple"
    case .dict: "a dict"
    case .tensor: "a tensor"
    }
  }

  /// The members of a dictionary, or nil.
  package var members: [Member]? {
    if case .dict(let members) = self { members } else { nil }
  }

  /// The tensor, or nil.
  package var tensor: TorchTensor? {
    if case .tensor(let tensor) = self { tensor } else { nil }
  }

  /// The string, or nil.
  package var string: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// The integer, or nil.
  package var int: Int? {
    if case .int(let number) = self { number } else { nil }
  }

  /// The member of a dictionary with that string key, or nil.
  package subscript(key key: String) -> PickleValue? {
    members?.first { $0.key == .string(key) }?.value
  }

  /// Calls a function with every value that is not a container and with its dotted name: keys and
  /// the indices of lists and tuples, joined by points.
  package func forEachLeaf<E: Error>(
    prefix: String = "", _ body: (String, PickleValue) throws(E) -> Void
  ) throws(E) {
    func name(_ key: String) -> String { prefix.isEmpty ? key : "\(prefix).\(key)" }
    switch self {
    case .dict(let members):
      for member in members {
        try member.value.forEachLeaf(prefix: name(member.key.description), body)
      }
    case .list(let values), .tuple(let values):
      for (i, value) in values.enumerated() {
        try value.forEachLeaf(prefix: name(String(i)), body)
      }
    default: try body(prefix, self)
    }
  }
}
