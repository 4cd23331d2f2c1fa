import Foundation
import MoscDiffusion
import MoscNetworks
import MoscPrompts
import MoscReport

/// What a run's prompts become before anything is drawn: with styles, choices made, and without the
/// tags of adapters.
struct PromptExpansion {
  private let styles: [PromptStyles.Style]
  private let settings: PromptSettings
  private let isPlain: Bool
  /// What was left as it stands, said once.
  private(set) var remarks: [String] = []

  /// The prompts of one picture.
  struct Prompts: Hashable {
    /// The prompt as it is written into the picture, with its tags.
    var written: String
    /// The prompt without tags.
    var text: String
    var negative: String
    var regions: [SamplePlan.RegionPrompts]
    var adapters: [LoraTag]
  }

  init(_ settings: PromptSettings, _ syntax: PromptSettings.Syntax) throws {
    self.settings = settings
    isPlain = syntax == .plain
    guard let file = settings.stylesFile else {
      guard settings.styles.isEmpty else {
        throw CommandError.usage("--style needs the file of the styles: --styles-file")
      }
      styles = []
      return
    }
    styles = try PromptStyles(contentsOf: URL(fileURLWithPath: file)).named(settings.styles)
  }

  /// What is asked for of prompts in which the seed chooses nothing, of which there may be thousands.
  private struct Question: Hashable {
    var prompt: String
    var negative: String
    var regions: [String?]
  }
  private var kept: (question: Question, answer: Prompts)?

  /// The prompts of the picture with a seed.
  mutating func prompts(
    _ prompt: String, negative: String, _ regions: [Region], seed: UInt64
  ) throws -> Prompts {
    let question = Question(
      prompt: prompt, negative: negative, regions: regions.flatMap { [$0.prompt, $0.negative] })
    if let kept, kept.question == question { return kept.answer }
    let answer = try expanded(prompt, negative: negative, regions, seed: seed)
    let texts = [prompt, negative] + question.regions.compactMap(\.self)
      + styles.flatMap { [$0.prompt, $0.negativePrompt] }
    let isChosen = texts.contains { $0.contains("{") || $0.contains("__") }
    kept = isChosen && !isPlain ? nil : (question, answer)
    return answer
  }

  private mutating func expanded(
    _ prompt: String, negative: String, _ regions: [Region], seed: UInt64
  ) throws -> Prompts {
    var wildcards = Wildcards(
      folder: settings.wildcardFolder.map { URL(fileURLWithPath: $0) }, seed: seed)
    func expand(_ text: String) throws -> String {
      if isPlain { return text }
      do {
        return try wildcards.expand(text)
      } catch let error as PromptSyntaxError {
        throw CommandError.usage("\(error)")
      }
    }
    let written = try expand(PromptStyles.apply(styles.map(\.prompt), to: prompt))
    let negative = try expand(PromptStyles.apply(styles.map(\.negativePrompt), to: negative))
    let (text, adapters) = try takeAdapters(written)
    let regionPrompts = try regions.map { region in
      SamplePlan.RegionPrompts(
        prompt: try expand(region.prompt),
        negative: try region.negative.map(expand) ?? negative)
    }
    for word in wildcards.unresolved {
      note("'\(word)' stays as it is; --wildcards-dir says where its file is")
    }
    if !isPlain, PromptComposition(negative).parts.count > 1 {
      note("AND in the negative prompt is a word: only prompts are composed")
    }
    return Prompts(
      written: written, text: text, negative: negative, regions: regionPrompts,
      adapters: adapters)
  }

  private mutating func note(_ remark: String) {
    if !remarks.contains(remark) { remarks.append(remark) }
  }

  /// Takes the adapter tags out of a prompt; tags of other networks go too, and that is said.
  private mutating func takeAdapters(
    _ prompt: String
  ) throws -> (text: String, adapters: [LoraTag]) {
    let (text, tags) = NetworkTag.take(from: prompt)
    let adapters = try LoraTag.tags(tags)
    for tag in tags where !AdapterUse.types.contains(tag.type) {
      note("'\(tag)' is left out: only <lora:…> and <lyco:…> name networks")
    }
    return (text, adapters)
  }
}
