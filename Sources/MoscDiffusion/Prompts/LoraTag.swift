/// An adapter that a prompt asks for: `<lora:name>`, `<lora:name:0.8>`, `<lora:name:te:unet>`, with
/// `te=` and `unet=` as other spellings. Source: the A1111 web UI.
package struct LoraTag: Hashable, Sendable {
  package var name: String
  package var textEncoder: Float
  package var unet: Float

  package init(name: String, textEncoder: Float, unet: Float) {
    self.name = name
    self.textEncoder = textEncoder
    self.unet = unet
  }

  /// Takes the tags out of a prompt.
  ///
  /// - Throws: `PromptError` for a tag that cannot be read.
  package static func take(
    from prompt: String
  ) throws(PromptError) -> (prompt: String, tags: [LoraTag]) {
    var tags: [LoraTag] = []
    var rest = ""
    var tail = prompt[...]
    while let open = tail.firstIndex(of: "<") {
      let inside = tail[open...].dropFirst()
      let close = inside.firstIndex { $0 == "<" || $0 == ">" }
      if inside.hasPrefix("lora:"), let close, inside[close] == ">" {
        rest += tail[..<open]
        while rest.last?.isWhitespace == true { rest.removeLast() }
        let body = inside[..<close].dropFirst("lora:".count)
        tags.append(try LoraTag(String(body), String(tail[open...close])))
        tail = inside[close...].dropFirst()
      } else {
        // What was looked at holds no other tag, so nothing is looked at twice.
        rest += tail[..<(close ?? tail.endIndex)]
        tail = tail[(close ?? tail.endIndex)...]
      }
    }
    if tags.isEmpty { return (prompt, []) }
    rest += tail
    return (String(rest.drop { $0 == " " || $0 == "," }), tags)
  }

  private init(_ body: String, _ tag: String) throws(PromptError) {
    let fields = body.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard let name = fields.first, !name.isEmpty else {
      throw PromptError("'\(tag)' names no adapter, expected <lora:name:strength>")
    }
    var plain: [Float] = []
    var named: [String: Float] = [:]
    for field in fields.dropFirst() {
      let parts = field.split(separator: "=", maxSplits: 1).map(String.init)
      guard let text = parts.last, let value = Float(text), value.isFinite else {
        throw PromptError("'\(tag)': expected a number, found '\(field)'")
      }
      if parts.count == 1 {
        plain.append(value)
      } else if ["te", "unet"].contains(parts[0]) {
        named[parts[0]] = value
      } else {
        throw PromptError("'\(tag)': unknown field '\(parts[0])', expected te or unet")
      }
    }
    if plain.count > 2 {
      throw PromptError("'\(tag)' has \(plain.count) strengths, expected at most te and unet")
    }
    let textEncoder = named["te"] ?? plain.first ?? 1
    let unet = named["unet"] ?? (plain.count > 1 ? plain[1] : plain.first) ?? 1
    self.init(name: name, textEncoder: textEncoder, unet: unet)
  }
}
