import Foundation

extension SafetensorsFile {
  /// Writes tensors in the given order with metadata sorted by key; atomic and deterministic.
  package static func write(
    _ tensors: [(name: String, array: HostArray)], metadata: [String: String] = [:], to url: URL
  ) throws {
    let entries = tensors.map { ($0.name, $0.array.dtype, $0.array.shape) }
    try write(entries, metadata: metadata, to: url) { tensors[$0].array.bytes }
  }

  /// Writes tensors one after the other, so that only one is in memory at a time.
  ///
  /// - Parameter bytes: the content of the tensor of that position.
  package static func write(
    _ tensors: [(name: String, dtype: ElementType, shape: [Int])],
    metadata: [String: String] = [:], to url: URL, bytes: (Int) throws -> [UInt8]
  ) throws {
    let header = try header(tensors, metadata, url)
    try AtomicFile.write(to: url) { handle in
      var length = UInt64(header.count).littleEndian
      try handle.write(contentsOf: Data(bytes: &length, count: 8))
      try handle.write(contentsOf: header)
      for (index, (name, dtype, shape)) in tensors.enumerated() {
        let content = try bytes(index)
        guard content.count == shape.reduce(1, *) * dtype.byteSize else {
          throw FormatError(
            url.path, "tensor \"\(name)\"",
            "has \(content.count) bytes for shape \(shape) of \(dtype.rawValue)")
        }
        try handle.write(contentsOf: Data(content))
      }
    }
  }

  private static func header(
    _ tensors: [(name: String, dtype: ElementType, shape: [Int])], _ metadata: [String: String],
    _ url: URL
  ) throws -> Data {
    var names: Set<String> = []
    var parts: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }
        .map { "\(JSONText.quote($0.key)):\(JSONText.quote($0.value))" }
      parts.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var position = 0
    for (name, dtype, shape) in tensors {
      guard name != "__metadata__" else {
        throw FormatError(url.path, "tensor \"\(name)\"", "the name is taken by the metadata")
      }
      guard names.insert(name).inserted else {
        throw FormatError(url.path, "tensor \"\(name)\"", "is given twice")
      }
      let extents = shape.map(String.init).joined(separator: ",")
      let end = position + shape.reduce(1, *) * dtype.byteSize
      parts.append(
        "\(JSONText.quote(name)):{\"dtype\":\"\(dtype.rawValue)\",\"shape\":[\(extents)],"
          + "\"data_offsets\":[\(position),\(end)]}")
      position = end
    }
    var header = Data("{\(parts.joined(separator: ","))}".utf8)
    header.append(contentsOf: [UInt8](repeating: 0x20, count: (8 - header.count % 8) % 8))
    return header
  }
}

/// Writes JSON text.
package enum JSONText {
  /// A string literal.
  package static func quote(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{8}": result += "\\b"
      case "\u{c}": result += "\\f"
      case _ where scalar.value < 0x20:
        let code = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - code.count) + code
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

extension JSONValue: CustomStringConvertible {
  /// Compact JSON text; numbers in their shortest form.
  package var description: String {
    switch self {
    case .null: return "null"
    case .bool(let flag): return flag ? "true" : "false"
    case .int(let number): return "\(number)"
    case .double(let number):
      if number.isFinite { return "\(number)" }
      return number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity"
    case .string(let text): return JSONText.quote(text)
    case .array(let list): return "[\(list.map(\.description).joined(separator: ", "))]"
    case .object(let members):
      let pairs = members.map { "\(JSONText.quote($0.key)): \($0.value)" }
      return "{\(pairs.joined(separator: ", "))}"
    }
  }
}
