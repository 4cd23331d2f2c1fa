import MoscFormats
import MoscPrompts

/// The `infotext` of a request: settings as pictures carry them, for fields that the request leaves out.
enum InfotextFields {
  private enum Kind { case text, whole, number }

  private static let names: [(setting: String, field: String, kind: Kind)] = [
    ("Prompt", "prompt", .text), ("Negative prompt", "negative_prompt", .text), ("Steps", "steps", .whole),
    ("Sampler", "sampler_name", .text), ("Schedule type", "scheduler", .text), ("CFG scale", "cfg_scale", .number),
    ("Seed", "seed", .whole), ("Size-1", "width", .whole), ("Size-2", "height", .whole),
  ]

  /// The fields with those of the text.
  static func applied(to fields: JSONFields) throws -> JSONFields {
    guard let text = try fields.string("infotext"), !text.isEmpty else { return fields }
    let info: Infotext
    do {
      info = try Infotext(reading: text)
    } catch {
      throw APIError.field("infotext", "\(error)")
    }
    var members = fields.members
    for (setting, field, kind) in names where fields[field] == nil {
      guard let value = info[setting]?.text else { continue }
      let read: JSONValue? =
        switch kind {
        case .text: .string(value)
        case .whole: Int(value).map(JSONValue.int)
        case .number: Double(value).map(JSONValue.double)
        }
      guard let read else { throw APIError.field("infotext", "\(setting): expected a number, found '\(value)'") }
      members.removeAll { $0.key == field }
      members.append(.init(field, read))
    }
    return JSONFields(members)
  }
}
