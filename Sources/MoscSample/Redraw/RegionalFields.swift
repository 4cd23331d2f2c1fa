import Foundation
import MoscDiffusion
import MoscFormats
import MoscPrompts

/// The fields by which extensions of the web UI tell of regions: `RP …` of Regional Prompter, `forge_couple…` of
/// Forge Couple. Source: `infotext_fields` of both.
enum RegionalFields {
  /// The beginnings of their names.
  static let prefixes = ["RP ", "forge_couple"]
}

extension RegionOptions {
  /// A prompt that divides the picture as it was written, with the fields that say how.
  struct Division: Hashable {
    var prompt: String
    var negative: String
    var settings: [GenerationParameters.Setting]
  }

  /// How the prompt of a picture divides it; nil where regions were written otherwise, and where the seed or a
  /// style made more of the prompt than it says itself.
  func division(of picture: SamplePlan.Picture) -> Division? {
    guard let source, picture.prompt == source.own,
      divided.count <= picture.regions.count,
      zip(divided.map(Self.untagged), picture.regions).allSatisfy({ region, prompts in
        region.prompt == prompts.prompt && region.negative ?? picture.negative == prompts.negative
      }),
      picture.negative == (divided.contains { $0.negative != nil } ? "" : source.negative)
    else { return nil }
    return Division(
      prompt: source.prompt, negative: source.negative,
      settings: lines.map(Self.settings) ?? prompterSettings(source.prompt))
  }

  private static func settings(_ lines: CoupledLines) -> [GenerationParameters.Setting] {
    let background = ["none": "None", "first": "First Line", "last": "Last Line"]
    return [
      .init("forge_couple", "True"), .init("forge_couple_mode", "Basic"),
      .init("forge_couple_separator", "\\n"),
      .init("forge_couple_direction", lines.direction == .horizontal ? "Horizontal" : "Vertical"),
      .init("forge_couple_background", background[lines.background.rawValue] ?? "None"),
      .init("forge_couple_background_weight", GenerationParameters.number(lines.backgroundWeight)),
    ]
  }

  private func prompterSettings(_ prompt: String) -> [GenerationParameters.Setting] {
    func has(_ word: String) -> String {
      prompt.split(whereSeparator: \.isWhitespace).contains(Substring(word)) ? "True" : "False"
    }
    return [
      .init("RP Active", "True"), .init("RP Divide mode", "Matrix"),
      .init("RP Matrix submode", prompter.division == .columns ? "Columns" : "Rows"),
      .init("RP Calc Mode", "Attention"), .init("RP Ratios", prompter.ratios ?? "1,1"),
      .init("RP Base Ratios", prompter.baseRatios ?? "0.2"), .init("RP Use Base", has("ADDBASE")),
      .init("RP Use Common", has("ADDCOMM")), .init("RP Use Ncommon", "False"), .init("RP Flip", "False"),
    ]
  }
}

extension PictureSettings {
  /// Takes regions as these fields tell them.
  ///
  /// - Parameter field: the value of a name.
  /// - Returns: whether there are such fields that are followed.
  mutating func readRegions(_ field: (String) -> String?) -> Bool {
    if field("RP Active") == "True" { return readPrompter(field) }
    if field("forge_couple") == "True" { return readCouple(field) }
    return false
  }

  private mutating func readPrompter(_ field: (String) -> String?) -> Bool {
    guard field("RP Divide mode") ?? "Matrix" == "Matrix" else {
      remark("regions by \(field("RP Divide mode") ?? "") are not followed, only those by Matrix")
      return false
    }
    var prompter = RegionalPrompterText()
    switch field("RP Matrix submode") ?? "Columns" {
    case "Columns", "Horizontal": prompter.division = .columns
    case "Rows", "Vertical": prompter.division = .rows
    case let other:
      remark("regions by Matrix \(other) are not followed, only Columns and Rows")
      return false
    }
    if field("RP Calc Mode") == "Latent" { remark("RP Calc Mode: Latent is drawn as Attention") }
    func isOn(_ name: String) -> Bool { field(name) == "True" }
    func has(_ word: String, _ text: String) -> Bool {
      text.split(whereSeparator: \.isWhitespace).contains(Substring(word))
    }
    // Without the keyword the first BREAK ends the common part, and the next the base.
    for (name, word) in [("RP Use Common", "ADDCOMM"), ("RP Use Base", "ADDBASE")]
    where isOn(name) && !has(word, request.prompt) {
      request.prompt = Self.replaceFirst("BREAK", with: word, in: request.prompt)
    }
    let words = RegionalPrompterText.keywords + ["BREAK"]
    // A prompt of one part is not divided.
    guard words.contains(where: { has($0, request.prompt) }) else { return true }
    if isOn("RP Use Ncommon"), has("BREAK", request.negativePrompt) {
      var parts = request.negativePrompt.components(separatedBy: "BREAK")
        .map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
      let common = parts.removeFirst()
      request.negativePrompt = parts.map { "\(common), \($0)" }.joined(separator: " BREAK ")
    }
    var ratios = field("RP Ratios")
    if isOn("RP Flip") {
      ratios = ratios.map { text in
        String(text.map { $0 == "," ? ";" : $0 == ";" ? "," : $0 })
      }
    }
    prompter.ratios = ratios
    if has("ADDBASE", request.prompt) { prompter.baseRatios = field("RP Base Ratios") }
    request.regions.prompter = prompter
    return true
  }

  private static func replaceFirst(_ word: String, with other: String, in text: String) -> String {
    guard let place = text.range(of: word) else { return text }
    return text.replacingCharacters(in: place, with: other)
  }

  private mutating func readCouple(_ field: (String) -> String?) -> Bool {
    guard field("forge_couple_mode") ?? "Basic" == "Basic" else {
      remark("regions of Forge Couple's mode \(field("forge_couple_mode") ?? "") are not followed, only Basic")
      return false
    }
    var lines = CoupledLines(field("forge_couple_direction") == "Vertical" ? .vertical : .horizontal)
    switch field("forge_couple_background") ?? "None" {
    case "First Line": lines.background = .first
    case "Last Line": lines.background = .last
    default: break
    }
    if let weight = field("forge_couple_background_weight").flatMap(Double.init) { lines.backgroundWeight = weight }
    if let parser = field("forge_couple_common_parser"), parser != "None", request.prompt.contains(":") {
      remark("forge_couple_common_parser: common parts in brackets are read as they stand")
    }
    if let separator = field("forge_couple_separator"), !["", "\\n", "\n"].contains(separator) {
      request.prompt = request.prompt.replacing("\n", with: " ").replacing(separator, with: "\n")
    }
    request.regions.lines = lines
    return true
  }
}
