import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscRandom
import MoscReport
import MoscSample

/// Training of a model's one adapter until it predicts what other models did.
///
///     loss = mean over examples and pixels of Σ_channels (prediction(x, t, prompt) − target)²
///
/// Words keep their embeddings; all factors are trained.
package struct Distillation {
  private let concept: TrainedConcept
  private var loop: TrainingLoop<DistillationTask>

  /// - Parameters:
  ///   - model: the model with the adapter.
  ///   - examples: what each of the others predicted; all of one shape.
  ///   - state: the file of the run's state, from which it goes on; log and curve lie beside it.
  ///   - settings: what the run depends on besides.
  package init(
    _ model: DiffusersModel, _ examples: [[DistillationExample]], _ choice: DistillationSettings,
    state: URL, settings: RunSettings, _ compiler: Compiler
  ) throws {
    guard let first = examples.first?.first, examples.allSatisfy({ !$0.isEmpty }) else {
      throw CommandError.failure("there is nothing to learn from")
    }
    concept = TrainedConcept(model)
    var settled = ModelSettings()
    settled.embedding = nil
    settled.textEncoder?.learningRate = choice.rate
    settled.unet?.learningRate = choice.rate
    let step = ConceptStep(
      batch: choice.batch, height: first.sample.shape[1], width: first.sample.shape[2], captions: 1,
      isLayerwise: model.adapters.words.contains(where: \.isLayerwise))
    let training = try model.trainingModule(step)
    let groups = try concept.groups(training, settled, OptimiserSettings())
    let budgeted = try MemoryChoice.compiler(for: training.module, limit: nil, compiler)
    let program = try TrainingProgram(training, groups, budgeted)
    let start = try TrainingState.open(state, settings, .resume)
    let task = DistillationTask(
      program, step, try ConceptInputs(step, settled, model), examples, RunSeed(choice.seed))
    var plan = LoopPlan(
      title: "refining", steps: choice.steps,
      schedule: LearningRateSchedule(.linear, total: Double(choice.steps)),
      reportEvery: max(1, choice.steps / 4))
    plan.resumption = "the same command"
    let stem = state.deletingPathExtension()
    loop = try TrainingLoop(
      task, plan, try TrainingState(start, groups),
      try Optimiser(AdamW(), groups, budgeted),
      TrainingLog(
        stem.appendingPathExtension("jsonl"), picture: stem.appendingPathExtension("svg"), through: start.step),
      compiler.reporter)
  }

  /// Takes every step that is left.
  ///
  /// - Returns: the layers of the adapter, and the mean loss of the first and of the last tenth of the steps.
  package mutating func run() throws -> (layers: [AdapterFile.Layer], losses: (first: Double, last: Double)) {
    _ = try loop.run()
    let losses = loop.log.lines.compactMap { $0["loss"] }
    let count = max(1, losses.count / 10)
    func mean(_ part: ArraySlice<Double>) -> Double { part.reduce(0, +) / Double(max(1, part.count)) }
    return (
      concept.contents(loop.state.groups).layers, (mean(losses.prefix(count)), mean(losses.suffix(count)))
    )
  }
}
