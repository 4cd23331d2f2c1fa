/// A value of a config file; numbers that are whole are `int` however they are written.
package enum ConfigValue: Hashable, Sendable {
  case null
  case bool(Bool)
  case int(Int)
  case double(Double)
  case string(String)
  case list([ConfigValue])
  case object([String: ConfigValue])
}

extension ConfigValue: CustomStringConvertible {
  /// The value as JSON, shortened when it is an object.
  package var description: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .int(let value): "\(value)"
    case .double(let value): "\(value)"
    case .string(let value): "\"\(value)\""
    case .list(let values): "[" + values.map(\.description).joined(separator: ", ") + "]"
    case .object(let fields): fields.isEmpty ? "{}" : "{…}"
    }
  }
}
