import MoscPrompts
import MoscReport

/// What the U-Net reads at every step for the pictures of one prompt.
package struct PromptScript: Sendable {
  /// One prediction of the U-Net at a step: the prompts of the picture and of its regions, each with
  /// a schedule.
  package struct Branch: Sendable {
    /// How strongly the prediction guides.
    package var weight: Double
    package var schedules: [PromptSchedule]

    func texts(at step: Int) -> [String] { schedules.map { $0.text(at: step) } }
  }

  /// The prediction of the prompt alone, or of its parts by their weights.
  package var unguided: PromptScript {
    branches.count == 1 && branches[0].weight == 1 ? PromptScript(branches, negative: nil) : self
  }

  private init(_ branches: [Branch], negative: Branch?) {
    (self.branches, self.negative) = (branches, negative)
  }

  /// The predictions that guide towards something.
  package let branches: [Branch]
  /// The prediction that is guided away from; nil when nothing is.
  package let negative: Branch?

  /// - Throws: a usage error for a prompt that cannot be read, and for regions whose `AND` does not fit
  ///   that of the picture.
  package init(
    _ picture: SamplePlan.Picture, _ syntax: PromptSettings.Syntax, _ timing: PromptSchedule.Timing,
    usesGuidance: Bool
  ) throws {
    let positive = [picture.text] + picture.regions.map(\.prompt)
    let guides = try positive.map { try Self.guide($0, syntax, timing, composes: true) }
    let count = guides.map(\.parts.count).max() ?? 1
    for (guide, text) in zip(guides, positive) where guide.parts.count != count {
      guard guide.parts.count == 1 else {
        throw CommandError.usage(
          "the prompts of picture and regions have \(count) and \(guide.parts.count) parts between AND; "
            + "expected as many, or one: \"\(text.prefix(60))\"")
      }
    }
    branches = (0..<count).map { index in
      let parts = guides.map { $0.parts[$0.parts.count == 1 ? 0 : index] }
      return Branch(
        weight: parts.reduce(1) { $0 * $1.weight }, schedules: parts.map(\.schedule))
    }
    let isPlain = branches.count == 1 && branches[0].weight == 1
    guard usesGuidance || !isPlain else {
      negative = nil
      return
    }
    let negatives = try ([picture.negative] + picture.regions.map(\.negative)).map {
      try Self.guide($0, syntax, timing, composes: false).parts[0].schedule
    }
    negative = Branch(weight: 1, schedules: negatives)
  }

  private static func guide(
    _ text: String, _ syntax: PromptSettings.Syntax, _ timing: PromptSchedule.Timing, composes: Bool
  ) throws -> PromptGuide {
    do {
      return try PromptGuide(text, syntax, timing, composes: composes)
    } catch {
      throw CommandError.usage("\(error): \"\(text.prefix(60))\"")
    }
  }

  /// The predictions in the order in which the U-Net makes them, the negative one first.
  private var rows: [Branch] { (negative.map { [$0] } ?? []) + branches }

  /// How many predictions there are of each picture.
  package var count: Int { rows.count }

  /// Whether anything changes from step to step.
  package var isConstant: Bool {
    rows.allSatisfy { $0.schedules.allSatisfy(\.isConstant) }
  }

  /// What every prediction reads at a step, the prompt of the picture first.
  package func texts(at step: Int) -> [[String]] { rows.map { $0.texts(at: step) } }

  /// Whether a step reads something else than the step before.
  package func changes(at step: Int) -> Bool {
    step > 0 && texts(at: step) != texts(at: step - 1)
  }

  /// Every text that a context reads at any step; 0 is the picture's own.
  func texts(ofContext context: Int) -> Set<String> {
    Set(rows.flatMap { $0.schedules[context].entries.map(\.text) })
  }

  /// Every text that is read at any step.
  package var allTexts: Set<String> {
    Set(rows.flatMap { $0.schedules.flatMap { $0.entries.map(\.text) } })
  }
}
