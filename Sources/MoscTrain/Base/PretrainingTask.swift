import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscReport
import MoscRuntime

/// A stage of pretraining, as the training loop sees it.
struct PretrainingTask: TrainingTask {
  private let stage: any TrainedStage
  private let recipe: PretrainingRecipe
  private let groups: [ParameterGroup]
  private let reporter: Reporter
  private var plan: BatchPlan
  /// One program per group of the plan; they share the parameters.
  private let programs: [TrainingProgram]
  /// The batches that are measured, and the programs for their groups.
  private let held: [BatchPlan.Batch]
  private let measuring: [Int: HeldOutProgram]

  /// Compiles the step for every size of pictures.
  init(
    _ stage: any TrainedStage, _ recipe: PretrainingRecipe, _ plan: BatchPlan, held: [BatchPlan.Batch], _ modules: [TrainingModule],
    _ groups: [ParameterGroup], _ compiler: Compiler
  ) throws {
    (self.stage, self.recipe) = (stage, recipe)
    (self.plan, self.held, self.groups) = (plan, held, groups)
    reporter = compiler.reporter
    programs = try modules.map { try TrainingProgram($0, groups, compiler) }
    measuring = try Dictionary(
      uniqueKeysWithValues: Set(held.map(\.group)).sorted().map {
        ($0, try HeldOutProgram(modules[$0], groups, compiler))
      })
  }

  var measure: String { stage.measure }

  mutating func batch(
    _ number: Int
  ) throws -> (program: TrainingProgram, inputs: [String: HostArray]) {
    plan.skip(to: number)
    let batch = plan.next()
    let inputs = try stage.inputs(
      batch, plan.groups[batch.group], step: number, isMeasured: false)
    return (programs[batch.group], inputs)
  }

  /// Gradients are shortened to the recipe's norm; the running mean is that of fewer steps at first.
  func update(_ step: Int, norm: Double) -> StepUpdate {
    let done = Double(step)
    return StepUpdate(
      scale: min(1, recipe.gradientNorm / max(norm, 1e-12)),
      blend: 1 - min(recipe.averageDecay, (1 + done) / (10 + done)))
  }

  func line(_ numbers: StepNumbers) -> [(name: String, value: Double)] {
    [
      ("loss", numbers.loss), ("error", numbers.measure),
      ("lr", numbers.rate * recipe.learningRate), ("seconds", numbers.total),
    ]
  }

  /// The mean loss and measure over the held-out batches, with the running means of the weights.
  func measured() throws -> [(name: String, value: Double)] {
    if held.isEmpty { return [] }
    let begin = Clock.now()
    var (loss, measure) = (0.0, 0.0)
    var layout: Double?
    for (number, batch) in held.enumerated() {
      let inputs = try stage.inputs(
        batch, plan.groups[batch.group], step: number, isMeasured: true)
      let results = try measuring[batch.group]?.results(inputs) ?? [:]
      loss += results["loss"]?.mean ?? .nan
      measure += results[self.measure]?.mean ?? .nan
      if let share = results["layout"]?.mean { layout = (layout ?? 0) + share }
    }
    reporter.detail(
      "measured \(held.count) batches in \(String(format: "%.2f", Clock.now() - begin)) s")
    let count = Double(held.count)
    return [("validation_loss", loss / count), ("validation_error", measure / count)]
      + (layout.map { [("validation_layout", $0 / count)] } ?? [])
  }

  /// Writes the model with the running means.
  func saved() throws {
    try stage.save(
      Dictionary(
        uniqueKeysWithValues: groups.flatMap { group in
          group.tensors(.average).map { ($0.name, $0.values) }
        }))
  }
}
