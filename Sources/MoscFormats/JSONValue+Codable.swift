extension JSONValue: Codable {
  /// Reads what `encode` wrote: the document as a text, which keeps the order of keys.
  package init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    self = try .parse(text.utf8, path: "a value")
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
