import MoscFormats

/// The fields of a JSON body, read with errors that name them; null is as good as nothing.
struct JSONFields: Sendable {
  let members: [JSONValue.Member]

  init(_ members: [JSONValue.Member]) { self.members = members }

  subscript(name: String) -> JSONValue? {
    guard let value = members.first(where: { $0.key == name })?.value, value != .null else { return nil }
    return value
  }

  func string(_ name: String) throws -> String? {
    guard let value = self[name] else { return nil }
    guard let text = value.string else {
      throw APIError.field(name, "Input should be a valid string", kind: "string_type", value)
    }
    if text.utf8.contains(0) { throw APIError.field(name, "holds a zero byte") }
    return text
  }

  func bool(_ name: String) throws -> Bool? {
    guard let value = self[name] else { return nil }
    // Some clients send numbers.
    if let number = value.int, (0...1).contains(number) { return number == 1 }
    guard let flag = value.bool else {
      throw APIError.field(name, "Input should be a valid boolean", kind: "bool_type", value)
    }
    return flag
  }

  func int(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
    guard let value = self[name] else { return nil }
    let number = value.int ?? value.double.flatMap { Int(exactly: $0) }
    guard let number else {
      throw APIError.field(name, "Input should be a valid integer", kind: "int_type", value)
    }
    guard range.contains(number) else {
      throw APIError.field(
        name, "expected a number from \(range.lowerBound) to \(range.upperBound), found \(number)",
        kind: number < range.lowerBound ? "greater_than_equal" : "less_than_equal", value)
    }
    return number
  }

  func double(_ name: String, in range: ClosedRange<Double>) throws -> Double? {
    guard let value = self[name] else { return nil }
    guard let number = value.double else {
      throw APIError.field(name, "Input should be a valid number", kind: "float_type", value)
    }
    // No comparison holds for NaN.
    guard range.contains(number) else {
      throw APIError.field(
        name, "expected a number from \(range.lowerBound) to \(range.upperBound)",
        number.isFinite ? value : nil)
    }
    return number
  }

  func array(_ name: String) throws -> [JSONValue]? {
    guard let value = self[name] else { return nil }
    guard let list = value.array else {
      throw APIError.field(name, "Input should be a valid list", kind: "list_type", value)
    }
    return list
  }

  func object(_ name: String) throws -> JSONFields? {
    guard let value = self[name] else { return nil }
    guard let members = value.members else {
      throw APIError.field(name, "Input should be a valid dictionary", kind: "dict_type", value)
    }
    return JSONFields(members)
  }

  func strings(_ name: String) throws -> [String]? {
    try array(name)?.map { value in
      guard let text = value.string else {
        throw APIError.field(name, "expected a list of strings", kind: "string_type", value)
      }
      return text
    }
  }
}
