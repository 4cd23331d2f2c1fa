import MoscFormats

extension PromptRecords {
  func networks(_ record: JSONObject) throws -> [JSONValue.Member] {
    let (prompt, tags) = NetworkTag.take(from: try record.string("prompt"))
    var result: [JSONValue.Member] = [
      .init("prompt", .string(prompt)),
      .init(
        "networks",
        Self.byType(tags) { tag in
          .object([
            .init("items", Self.strings(tag.items)),
            .init("positional", Self.strings(tag.positional)),
            .init("named", .object(tag.named.map { .init($0.key, .string($0.value)) })),
          ])
        }),
    ]
    if tags.contains(where: { AdapterUse.types.contains($0.type) }) {
      let load = Self.outcome("result") { () throws(PromptSyntaxError) in
        .array(try AdapterUse.uses(tags).map(Self.object))
      }
      result.append(.init("lora_load", .object([load])))
    }
    return [.init("result", .object(result))]
  }

  private static func strings(_ texts: [String]) -> JSONValue { .array(texts.map { .string($0) }) }

  /// Tags by type, types in the order of their first tag.
  private static func byType(
    _ tags: [NetworkTag], _ value: (NetworkTag) -> JSONValue
  ) -> JSONValue {
    var types: [String] = []
    for tag in tags where !types.contains(tag.type) { types.append(tag.type) }
    return .object(
      types.map { type in .init(type, .array(tags.filter { $0.type == type }.map(value))) })
  }

  private static func object(_ use: AdapterUse) -> JSONValue {
    .object([
      .init("name", .string(use.name)), .init("te", number(use.textEncoder)),
      .init("unet", number(use.unet)), .init("dyn", use.rank.map { .int($0) } ?? .null),
    ])
  }

  /// JSON has no infinite numbers.
  private static func number(_ value: Double) -> JSONValue {
    if value.isNaN { return .string("nan") }
    return value.isInfinite ? .string(value < 0 ? "-inf" : "inf") : .double(value)
  }

  func networkBatch(_ record: JSONObject) throws -> [JSONValue.Member] {
    let (prompts, tags) = NetworkTag.take(fromBatch: try record.strings("prompts"))
    let networks = tags.map { tags in
      Self.byType(tags) { .object([.init("items", Self.strings($0.items))]) }
    }
    return [
      .init(
        "result",
        .object([
          .init("prompts", Self.strings(prompts)), .init("networks", networks ?? .null),
        ]))
    ]
  }

  // MARK: Infotext

  func infotext(_ record: JSONObject) throws -> [JSONValue.Member] {
    let text = try record.string("infotext")
    do throws(PromptSyntaxError) {
      let infotext = try Infotext(reading: text)
      var answers: [JSONValue.Member] = [.init("result", Self.object(infotext))]
      if !infotext.dropped.isEmpty {
        answers.append(.init("dropped", Self.strings(infotext.dropped)))
      }
      return answers
    } catch {
      return [.init("error", .string(error.kind.rawValue))]
    }
  }

  static func object(_ infotext: Infotext) -> JSONValue {
    .object(
      infotext.fields.map { field in
        switch field.value {
        case .text(let text): .init(field.name, .string(text))
        case .number(let number): .init(field.name, .int(number))
        case .flag(let flag): .init(field.name, .bool(flag))
        }
      })
  }

  func quoting(_ record: JSONObject) throws -> [JSONValue.Member] {
    let value = record.members.first { $0.key == "value" }?.value
    switch value {
    case .string(let text)?:
      let written = InfotextSyntax.quote(text)
      return [
        .init("result", .string(written)), .init("unquoted", .string(InfotextSyntax.unquote(written))),
      ]
    case .bool(let flag)?:
      return answers(.bool(flag), flag ? "True" : "False")
    case .int(let number)?: return answers(.int(number), "\(number)")
    case .double(let number)?: return answers(.double(number), "\(number)")
    case .null?: return answers(.null, "None")
    default: throw record.error("value", "expected a string, a number, a boolean or null")
    }
  }

  /// A value that is written as it is.
  private func answers(_ value: JSONValue, _ text: String) -> [JSONValue.Member] {
    [.init("result", value), .init("unquoted", .string(text))]
  }
}
