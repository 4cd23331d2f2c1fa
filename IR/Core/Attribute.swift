/// A literal attached to an op.
package enum Attribute: Hashable, Sendable {
  case int(Int)
  case float(Double)
  case bool(Bool)
  case string(String)
  /// A name such as `@base` or an enumerator such as `.less`, printed with its sigil.
  case symbol(String)
  case ints([Int])
  case floats([Double])
}

/// An attribute with its label; positional attributes have none.
package struct LabeledAttribute: Hashable, Sendable {
  package var label: String?
  package var value: Attribute

  package init(_ label: String?, _ value: Attribute) {
    self.label = label
    self.value = value
  }
}

/// Hands the parsed attributes of one statement to the op that is built from them.
///
/// Each getter takes its attribute away; whatever is left in the end is reported as unknown.
package struct AttributeReader {
  /// The `@name` after the mnemonic, if any.
  package var callee: String?
  /// The result types written at the end of the line.
  package var resultTypes: [TensorType]
  /// The labels of the statement's operands.
  package var operandLabels: [String?]
  package private(set) var remaining: [LabeledAttribute]

  package init(
    _ attributes: [LabeledAttribute], callee: String? = nil, resultTypes: [TensorType] = [],
    operandLabels: [String?] = []
  ) {
    remaining = attributes
    self.callee = callee
    self.resultTypes = resultTypes
    self.operandLabels = operandLabels
  }

  /// Takes the attribute with the label, or the first positional one for nil.
  package mutating func take(_ label: String?) -> Attribute? {
    guard let index = remaining.firstIndex(where: { $0.label == label }) else { return nil }
    return remaining.remove(at: index).value
  }

  package mutating func int(_ label: String) throws(OpError) -> Int {
    guard let value = try optionalInt(label) else { throw missing(label, "an integer") }
    return value
  }

  package mutating func optionalInt(_ label: String) throws(OpError) -> Int? {
    guard let value = take(label) else { return nil }
    guard case .int(let number) = value else { throw wrong(label, "an integer", value) }
    return try bounded([number], label)[0]
  }

  package mutating func float(_ label: String) throws(OpError) -> Double {
    guard let value = take(label) else { throw missing(label, "a number") }
    switch value {
    case .float(let number): return number
    case .int(let number): return Double(number)
    default: throw wrong(label, "a number", value)
    }
  }

  package mutating func optionalBool(_ label: String) throws(OpError) -> Bool? {
    guard let value = take(label) else { return nil }
    guard case .bool(let flag) = value else { throw wrong(label, "true or false", value) }
    return flag
  }

  package mutating func ints(_ label: String) throws(OpError) -> [Int] {
    guard let value = take(label) else { throw missing(label, "a list of integers") }
    guard case .ints(let list) = value else { throw wrong(label, "a list of integers", value) }
    return try bounded(list, label)
  }

  package mutating func optionalInts(_ label: String) throws(OpError) -> [Int]? {
    guard let value = take(label) else { return nil }
    guard case .ints(let list) = value else { throw wrong(label, "a list of integers", value) }
    return try bounded(list, label)
  }

  package mutating func floats(_ label: String?) throws(OpError) -> [Double] {
    guard let value = take(label) else { throw missing(label ?? "values", "a list of numbers") }
    switch value {
    case .floats(let list): return list
    case .ints(let list): return list.map(Double.init)
    case .float(let number): return [number]
    case .int(let number): return [Double(number)]
    default: throw wrong(label ?? "values", "a list of numbers", value)
    }
  }

  package mutating func string(_ label: String?) throws(OpError) -> String {
    guard let value = take(label) else { throw missing(label ?? "name", "a string") }
    guard case .string(let text) = value else { throw wrong(label ?? "name", "a string", value) }
    return text
  }

  package mutating func symbol(_ label: String) throws(OpError) -> String {
    guard let value = take(label) else { throw missing(label, "a symbol") }
    guard case .symbol(let text) = value else { throw wrong(label, "a symbol", value) }
    return text
  }

  /// No integer is further from zero, so that sums and differences of a few of them fit.
  package static let mostInteger = 1 << 48

  private func bounded(_ numbers: [Int], _ label: String) throws(OpError) -> [Int] {
    if let bad = numbers.first(where: { $0.magnitude > Self.mostInteger }) {
      throw OpError(
        "attribute.range",
        "expected integers of at most \(Self.mostInteger) for '\(label)', found \(bad)")
    }
    return numbers
  }

  /// The single result type, which ops such as `reshape` and `cast` read from the text.
  package func resultType() throws(OpError) -> TensorType {
    guard let type = resultTypes.first, resultTypes.count == 1 else {
      throw OpError("op.result-type", "expected one result type, found \(resultTypes.count)")
    }
    return type
  }

  private func missing(_ label: String, _ what: String) -> OpError {
    OpError("attribute.missing", "expected \(what) for '\(label)', found nothing")
  }

  private func wrong(_ label: String, _ what: String, _ found: Attribute) -> OpError {
    OpError("attribute.type", "expected \(what) for '\(label)', found \(found)")
  }
}
