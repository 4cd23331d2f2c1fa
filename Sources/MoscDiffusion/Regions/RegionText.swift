import MoscFormats

/// A region as users write it: `box=0.1,0.2,0.5,1; prompt=a fox; negative=…; weight=1; feather=8;
/// steps=0-0.8; strength=0.6; mask=FILE; t2i=0.8,1; lora=FILE:0.8; base=0.2; guidance=9; seed=5; name=left`, or
/// with `background=1` in place of box and mask.
///
/// `lora` may stand several times, and in a scene file be a list.
/// A value may stand in double quotes, and must if it holds a `;`.
package struct RegionText: Hashable, Sendable {
  package static let fields = [
    "box", "prompt", "negative", "weight", "feather", "steps", "strength", "mask", "t2i", "lora", "base",
    "background", "guidance", "seed", "name",
  ]

  /// The values by field.
  package private(set) var values: [String: String] = [:]
  /// The adapters, `FILE[:text[:unet]]`.
  package private(set) var adapters: [String] = []

  /// Reads the text.
  ///
  /// - Throws: `PromptError` naming the field that is unknown, missing or there twice.
  package init(_ text: String) throws(PromptError) {
    for (key, value) in try Self.split(text) { try set(key, value, text) }
    if values.isEmpty, adapters.isEmpty { throw PromptError("the region '\(text)' is empty") }
  }

  /// Reads an object of a scene file; numbers and lists of numbers may stand as such.
  package init(_ object: JSONValue, place: String) throws(PromptError) {
    guard let members = object.members else {
      throw PromptError("\(place): expected an object, found \(object.kindName)")
    }
    for member in members {
      let value: String
      if let text = member.value.string {
        value = text
      } else if let number = member.value.int {
        value = "\(number)"
      } else if let number = member.value.double {
        value = "\(number)"
      } else if let flag = member.value.bool {
        value = "\(flag)"
      } else if member.key == "lora", let list = member.value.array {
        for item in list {
          guard let text = item.string else {
            throw PromptError("\(place).lora: expected texts such as \"FILE:0.8\", found \(item)")
          }
          try set(member.key, text, place)
        }
        continue
      } else if let list = member.value.array {
        let numbers = list.compactMap(\.double)
        guard numbers.count == list.count else {
          throw PromptError("\(place).\(member.key): expected numbers, found \(member.value)")
        }
        value = numbers.map { "\($0)" }.joined(separator: ",")
      } else {
        throw PromptError("\(place).\(member.key): found \(member.value.kindName)")
      }
      try set(member.key, value, place)
    }
  }

  private mutating func set(
    _ key: String, _ value: String, _ place: String
  ) throws(PromptError) {
    guard Self.fields.contains(key) else {
      let nearest = NearestName.suggest(key, in: Self.fields)
      throw PromptError(
        "unknown field '\(key)' of the region '\(place)'"
          + (nearest.map { ", did you mean '\($0)'?" }
            ?? "; there are \(Self.fields.joined(separator: ", "))"))
    }
    if key == "lora" {
      guard !value.isEmpty else { throw PromptError("lora= of the region '\(place)' names no file") }
      adapters.append(value)
      return
    }
    if values.updateValue(value, forKey: key) != nil {
      throw PromptError("the field '\(key)' is there twice in the region '\(place)'")
    }
  }

  /// The region, its mask read by the caller.
  ///
  /// - Throws: `PromptError` naming the region and the field.
  package func region(
    number: Int, width: Int, height: Int, mask: (String) throws -> RegionMask
  ) throws -> Region {
    let name = values["name"] ?? "region \(number)"
    let image = try values["mask"].map(mask)
    do throws(PromptError) {
      return try region(name, width, height, image)
    } catch {
      throw PromptError("\(name): \(error.description)")
    }
  }

  private func region(
    _ name: String, _ width: Int, _ height: Int, _ mask: RegionMask?
  ) throws(PromptError) -> Region {
    var region = Region(name: name, prompt: values["prompt"] ?? "")
    if region.prompt.isEmpty { throw PromptError("has no prompt") }
    region.negative = values["negative"]
    if let text = values["box"] {
      region.box = try RegionBox(try Self.numbers(text, "box"), width: width, height: height)
    }
    if let mask {
      guard mask.width == width, mask.height == height else {
        throw PromptError(
          "the mask '\(values["mask"] ?? "")' is \(mask.width)x\(mask.height), the picture "
            + "\(width)x\(height)")
      }
      region.mask = mask
    }
    if let text = values["background"] {
      guard let flag = ["1": true, "true": true, "yes": true, "0": false, "false": false, "no": false][text]
      else { throw PromptError("background=\(text): expected 1 or 0") }
      region.isBackground = flag
    }
    if region.isBackground, region.box != nil || region.mask != nil {
      throw PromptError("is the background, which is wherever no other region is, and has a box or mask")
    }
    if region.box == nil && region.mask == nil && !region.isBackground {
      throw PromptError("has neither box nor mask")
    }
    if let text = values["base"] { region.base = try Self.number(text, "base", 0...1) }
    if let text = values["guidance"] { region.guidance = try Self.number(text, "guidance", 0...1000) }
    if let text = values["seed"] {
      guard let seed = UInt64(text) else { throw PromptError("seed=\(text): expected a number of at least 0") }
      region.seed = seed
    }
    if let text = values["weight"] { region.weight = try Self.number(text, "weight", 0...100) }
    if let text = values["feather"] {
      region.feather = try Self.number(text, "feather", 0...8192)
      if region.box == nil { throw PromptError("feather is for boxes; a mask can be soft itself") }
    }
    if let text = values["steps"] { region.steps = try Self.steps(text) }
    if let text = values["strength"] { region.strength = try Self.number(text, "strength", 0...1) }
    if let text = values["t2i"] { region.adapterStrengths = try Self.numbers(text, "t2i") }
    return region
  }

  private static func numbers(_ text: String, _ field: String) throws(PromptError) -> [Double] {
    var result: [Double] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      result.append(try number(String(part), field, -1e9...1e9))
    }
    return result
  }

  private static func number(
    _ text: String, _ field: String, _ range: ClosedRange<Double>
  ) throws(PromptError) -> Double {
    guard let value = Double(text.filter { $0 != " " }), range.contains(value) else {
      let end = range.upperBound == 1 ? " and at most 1" : ""
      throw PromptError("\(field)=\(text): expected a number of at least \(range.lowerBound)\(end)")
    }
    return value
  }

  private static func steps(_ text: String) throws(PromptError) -> ClosedRange<Double> {
    let ends = text.split(separator: "-").compactMap { Double($0.filter { $0 != " " }) }
    guard ends.count == 2, ends[0] >= 0, ends[0] < ends[1], ends[1] <= 1 else {
      throw PromptError("steps=\(text): expected fractions of the denoising such as 0-0.8")
    }
    return ends[0]...ends[1]
  }

  /// Cuts `key=value` fields at semicolons outside of quotes.
  private static func split(_ text: String) throws(PromptError) -> [(String, String)] {
    var fields: [String] = [""]
    var isQuoted = false
    for character in text {
      if character == "\"" {
        isQuoted.toggle()
      } else if character == ";", !isQuoted {
        fields.append("")
      } else {
        fields[fields.count - 1].append(character)
      }
    }
    if isQuoted { throw PromptError("a quote is not closed in the region '\(text)'") }
    var result: [(String, String)] = []
    for field in fields where field.contains(where: { $0 != " " }) {
      guard let equals = field.firstIndex(of: "=") else {
        throw PromptError("expected key=value in the region '\(text)', found '\(trim(field))'")
      }
      result.append(
        (trim(field[..<equals]), trim(field[field.index(after: equals)...])))
    }
    return result
  }

  private static func trim(_ text: some StringProtocol) -> String {
    var part = text.drop { $0.isWhitespace }[...]
    while part.last?.isWhitespace == true { part = part.dropLast() }
    return String(part)
  }
}
