import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscPrompts
import MoscReport

/// `mosc inspect --prompt`: what a prompt becomes before a network reads it.
package struct PromptInspection: Sendable {
  /// The findings as lines.
  package let text: String

  /// - Parameters:
  ///   - model: the model whose tokens are shown.
  ///   - steps: the steps that schedules are for.
  /// - Throws: what is wrong with the prompt or the model.
  package init(
    _ prompt: String, _ model: ModelOptions, _ settings: PromptSettings, steps: Int
  ) throws {
    try CommandError.check("steps", steps, in: 1...1000)
    let tokenizer = try PromptTokenizer(ModelComponents.open(model))
    let (rest, tags) = NetworkTag.take(from: prompt)
    var lines = ["\"\(prompt)\""]
    do {
      for use in try AdapterUse.uses(tags) {
        lines.append(
          "adapter \(use.name): text encoder \(use.textEncoder), U-Net \(use.unet)"
            + (use.rank.map { ", rank \($0)" } ?? ""))
      }
      for tag in tags where !AdapterUse.types.contains(tag.type) {
        lines.append("left out: \(tag)")
      }
      let guide = try PromptGuide(
        rest, settings.syntax ?? .a1111, .init(steps: steps, isOld: settings.usesOldTiming),
        composes: true)
      for (number, part) in guide.parts.enumerated() {
        if guide.parts.count > 1 || part.weight != 1 {
          lines.append("part \(number + 1) of \(guide.parts.count), weight \(part.weight)")
        }
        lines += try Self.lines(part.schedule, tokenizer, settings)
      }
    } catch let error as PromptSyntaxError {
      throw CommandError.usage("\(error)")
    }
    text = lines.joined(separator: "\n")
  }

  private static func lines(
    _ schedule: PromptSchedule, _ tokenizer: PromptTokenizer, _ settings: PromptSettings
  ) throws -> [String] {
    var lines: [String] = []
    // The steps at which the sampler reads a text; the last number of an entry is not the last of them.
    let steps = 0..<(schedule.entries.last?.end ?? 1)
    for (index, entry) in schedule.entries.enumerated() {
      if schedule.entries.count > 1 {
        let own = steps.filter { schedule.index(at: $0) == index }.map { $0 + 1 }
        guard let first = own.first, let last = own.last else { continue }
        let range = first == last ? "step \(first)" : "steps \(first) to \(last)"
        lines.append("\(range): \"\(entry.text)\"")
      }
      lines += try chunks(entry.text, tokenizer, settings)
    }
    return lines
  }

  private static func chunks(
    _ text: String, _ tokenizer: PromptTokenizer, _ settings: PromptSettings
  ) throws -> [String] {
    guard settings.syntax ?? .a1111 == .a1111 else {
      let row = try tokenizer.rows(text)[0]
      let used = min(row.tokenCount, tokenizer.length) - 2
      let rest = row.isTruncated ? ", \(row.tokenCount - tokenizer.length) are cut off" : ""
      return [
        "  \(used) of \(tokenizer.length - 2) tokens\(rest): "
          + Self.tokens(Array(row.ids[1...].prefix(used)), [], tokenizer)
      ]
    }
    let layers = try tokenizer.chunks(
      text, settings.emphasis, commaBacktrack: settings.commaBacktrack)
    let chunks = layers[0]
    var lines = chunks.chunks.enumerated().map { index, chunk in
      let place = chunks.chunks.count > 1 ? "chunk \(index + 1) of \(chunks.chunks.count), " : ""
      return "  \(place)\(chunk.used) of \(chunks.size) tokens: "
        + Self.tokens(
          Array(chunk.tokens[1...].prefix(chunk.used)), Array(chunk.weights[1...]), tokenizer)
    }
    if layers.count > 1 {
      lines.append("  the tokens of concept words differ in \(layers.count) layers; these are the first's")
    }
    return lines
  }

  /// Tokens in their spelling with the weights that are not 1.
  private static func tokens(
    _ ids: [Int32], _ weights: [Double], _ tokenizer: PromptTokenizer
  ) -> String {
    zip(tokenizer.spellings(ids), ids.indices).map { spelling, index in
      let word = spelling.hasSuffix(" ") ? String(spelling.dropLast()) : spelling + "+"
      let weight = index < weights.count ? weights[index] : 1
      return weight == 1 ? word : "\(word)×\(shown(weight))"
    }.joined(separator: " ")
  }

  /// A weight in four digits after the point at most.
  private static func shown(_ weight: Double) -> String {
    let rounded = (weight * 10_000).rounded() / 10_000
    return rounded == rounded.rounded() && abs(rounded) < 1e9 ? "\(Int(rounded))" : "\(rounded)"
  }
}
