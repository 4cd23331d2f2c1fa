import MoscFormats

/// A tag such as `<lora:name:0.8:te=0.5>` that a prompt uses.
package struct NetworkTag: Hashable, Sendable, CustomStringConvertible {
  /// The word before the first colon.
  package var type: String
  /// What stands between the other colons.
  package var items: [String]

  package init(type: String, items: [String]) { (self.type, self.items) = (type, items) }

  /// The tag as it was written.
  package var description: String { "<\(type):\(items.joined(separator: ":"))>" }

  /// Items that are not `key=value`.
  package var positional: [String] { items.filter { Self.pair($0) == nil } }

  /// Items with exactly one `=`, later ones in place of earlier ones of the same key.
  package var named: [(key: String, value: String)] {
    var result: [(key: String, value: String)] = []
    for (key, value) in items.compactMap(Self.pair) {
      if let index = result.firstIndex(where: { $0.key.scalars == key.scalars }) {
        result[index].value = value
      } else {
        result.append((key, value))
      }
    }
    return result
  }

  /// The value of a named item.
  package subscript(key: String) -> String? { named.first { $0.key == key }?.value }

  private static func pair(_ item: String) -> (String, String)? {
    let parts = item.unicodeScalars.split(separator: "=", omittingEmptySubsequences: false)
    return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
  }

  /// Takes the tags out of a prompt; what stands around them stays.
  package static func take(from prompt: String) -> (prompt: String, tags: [NetworkTag]) {
    let source = prompt.scalars
    // Behind the last `>` nothing is a tag, so that nothing is looked for there.
    guard let last = source.lastIndex(of: ">") else { return (prompt, []) }
    var rest: Scalars = []
    var tags: [NetworkTag] = []
    var place = 0
    while place < source.count {
      guard place < last, source[place] == "<", let (tag, end) = tag(source, at: place) else {
        rest.append(source[place])
        place += 1
        continue
      }
      tags.append(tag)
      place = end
    }
    return tags.isEmpty ? (prompt, []) : (rest.text, tags)
  }

  /// The tag that begins at a `<`, and the place after it.
  private static func tag(_ source: Scalars, at start: Int) -> (NetworkTag, end: Int)? {
    var colon = start + 1
    while colon < source.count, source[colon].isWord { colon += 1 }
    guard colon > start + 1, colon < source.count, source[colon] == ":",
      let end = source[colon...].firstIndex(of: ">"), end > colon + 1
    else { return nil }
    let items = source[(colon + 1)..<end].split(separator: ":", omittingEmptySubsequences: false)
    return (
      NetworkTag(type: source[(start + 1)..<colon].text, items: items.map(\.text)), end + 1
    )
  }

  /// Takes the tags out of the prompts of a batch; only those of the first count.
  package static func take(
    fromBatch prompts: [String]
  ) -> (prompts: [String], tags: [NetworkTag]?) {
    let parts = prompts.map { take(from: $0) }
    return (parts.map(\.prompt), parts.first?.tags)
  }
}

/// An adapter that tags ask for, with its strengths.
package struct AdapterUse: Hashable, Sendable {
  package var name: String
  /// The strength on the text encoder.
  package var textEncoder: Double
  /// The strength on the U-Net.
  package var unet: Double
  /// The rank to which the adapter is cut, if any.
  package var rank: Int?
  /// Its strengths by block (`lbw`), which an extension of the original reads.
  package var blocks: String?
  /// Named items that the language does not know; the original passes over them.
  package var unknown: [String]

  /// The types of tags that name adapters.
  package static let types: Set<String> = ["lora", "lyco"]

  /// Reads a tag: name, text-encoder strength, U-Net strength and rank, each also by name (`te`,
  /// `unet`, `dyn`).
  ///
  /// - Throws: `PromptSyntaxError` for a tag without name and for what is no number.
  package init(_ tag: NetworkTag) throws(PromptSyntaxError) {
    let positional = tag.positional
    let spelling = tag.description
    guard let name = positional.first else {
      throw PromptSyntaxError(
        .index, "'\(spelling)' names no adapter, expected <\(tag.type):name:strength>")
    }
    func number(_ text: String?) throws(PromptSyntaxError) -> Double? {
      guard let text else { return nil }
      guard let value = PythonNumber.double(text.scalars) else {
        throw PromptSyntaxError(.value, "'\(spelling)': expected a strength, found '\(text)'")
      }
      return value
    }
    func rank(_ text: String?) throws(PromptSyntaxError) -> Int? {
      guard let text else { return nil }
      guard let value = PythonNumber.int(text.scalars) else {
        throw PromptSyntaxError(.value, "'\(spelling)': expected a rank, found '\(text)'")
      }
      return value
    }
    func item(_ index: Int) -> String? { index < positional.count ? positional[index] : nil }
    self.name = name
    blocks = tag["lbw"]
    unknown = tag.named.map(\.key).filter { !["te", "unet", "dyn"].contains($0) }
    // Both spellings are read even where one wins, so that no fault is passed over.
    let first = try number(item(1))
    textEncoder = try number(tag["te"]) ?? first ?? 1
    let second = try number(item(2))
    unet = try number(tag["unet"]) ?? second ?? textEncoder
    let third = try rank(item(3))
    self.rank = try rank(tag["dyn"]) ?? third
  }

  /// The adapters of a prompt's tags, each type's in order, types in the order of their first tag.
  package static func uses(_ tags: [NetworkTag]) throws(PromptSyntaxError) -> [AdapterUse] {
    var kinds: [String] = []
    for tag in tags where types.contains(tag.type) && !kinds.contains(tag.type) {
      kinds.append(tag.type)
    }
    var result: [AdapterUse] = []
    for kind in kinds {
      for tag in tags where tag.type == kind { result.append(try AdapterUse(tag)) }
    }
    return result
  }
}
