import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscRandom
import MoscReport
import MoscRuntime

/// Runs the steps of one stage, with checkpoints, a log and the model folder kept up to date.
struct PretrainingLoop {
  private let stage: PretrainingStage
  private let task: any TrainedStage
  private let request: PretrainRequest
  private let recipe: PretrainingRecipe
  private let folder: ModelFolder
  private let reporter: Reporter
  private var plan: BatchPlan
  /// The batches that are measured.
  private let measured: [BatchPlan.Batch]
  private var state: PretrainingState
  private var log: PretrainingLog
  /// One program per group of the plan; they share the state.
  private let programs: [TrainingProgram]
  /// The programs that measure, by group; only for groups with held-out pictures.
  private let measuring: [Int: MeasuringProgram]

  init(
    _ stage: PretrainingStage, _ task: any TrainedStage, _ request: PretrainRequest,
    _ folder: ModelFolder, _ set: PictureSet, _ compiler: Compiler
  ) throws {
    (self.stage, self.task, self.request) = (stage, task, request)
    (self.folder, self.reporter) = (folder, compiler.reporter)
    recipe = request.recipe(stage)
    let (training, held) = set.split(holdingOut: request.validation)
    var plan = BatchPlan(
      sizes: set.sizes, pictures: training, batch: recipe.batch,
      random: StepRandom(seed: request.seed))
    measured = plan.batches(of: held) { (set.sizes[$0].height, set.sizes[$0].width) }

    let modules = try plan.groups.map(task.module)
    let model = try folder.model()
    var start: [String: HostArray] = [:]
    for component in task.components {
      start.merge(try model.canonicalWeights(component)) { own, _ in own }
    }
    state = try PretrainingState(modules.first?.trained ?? [], start, recipe)
    let file = folder.training.appending(path: "\(stage.rawValue).safetensors")
    if request.resumes, FileManager.default.fileExists(atPath: file.path) {
      try state.read(file, settings: request.settings(stage))
      reporter.info("resuming \(stage.rawValue) at step \(state.step)")
    }
    plan.skip(to: state.step)
    self.plan = plan
    log = try PretrainingLog(
      folder.training.appending(path: "\(stage.rawValue).jsonl"), upTo: state.step)
    // The second moment follows gradients more quickly than in long runs.
    let optimiser = AdamW(beta1: 0.9, beta2: 0.99)
    let groups = state.groups
    programs = try modules.map { try TrainingProgram($0, groups, optimiser, compiler) }
    measuring = try Dictionary(
      uniqueKeysWithValues: Set(measured.map(\.group)).sorted().map {
        ($0, try MeasuringProgram(modules[$0], groups, compiler))
      })
  }

  /// Trains to the end, or for a number of steps.
  ///
  /// - Returns: whether the end was reached.
  /// - Throws: `CommandError.interrupted` after saving; `CommandError.failure` for a loss that is no
  ///   number.
  mutating func run(atMost limit: Int? = nil) throws -> Bool {
    let schedule = LearningRateSchedule(
      .cosine, warmUp: recipe.warmUp, total: Double(recipe.steps))
    var (loss, measure, counted) = (0.0, 0.0, 0)
    let earlier = log.lines.last?.seconds ?? 0
    let begin = Clock.now()
    if state.step == 0 { try note(PretrainingLog.Line(step: 0, seconds: 0), measuring: true) }
    reporter.begin(.train, stage.rawValue)
    let end = min(recipe.steps, limit.map { state.step + $0 } ?? recipe.steps)
    while state.step < end {
      let batch = plan.next()
      let rate = schedule.factor(state.step)
      let results: [String: TensorValue]
      do {
        results = try advance(batch, rate)
      } catch let error as CommandError where error == .interrupted {
        // The weights are those of the last whole step.
        try save()
        throw error
      }
      state.step += 1
      loss += mean(results["loss"]?.floats ?? [])
      measure += mean(results[task.measure]?.floats ?? [])
      counted += 1
      let isSaved = state.step == end || state.step % request.saveEvery == 0
      if isSaved { try save() }
      if isSaved || state.step % request.logEvery == 0 {
        let line = PretrainingLog.Line(
          step: state.step, loss: loss / Double(counted), measure: measure / Double(counted),
          rate: rate * recipe.learningRate, seconds: earlier + Clock.now() - begin)
        try note(line, measuring: isSaved)
        (loss, measure, counted) = (0, 0, 0)
      }
      reporter.progress(.train, stage.rawValue, done: state.step, of: recipe.steps)
    }
    reporter.end(.train, stage.rawValue)
    return state.step >= recipe.steps
  }

  /// Makes one step.
  ///
  /// - Returns: the results but the gradients.
  private func advance(
    _ batch: BatchPlan.Batch, _ rate: Double
  ) throws -> [String: TensorValue] {
    try Interruption.check()
    let inputs = try task.inputs(
      batch, plan.groups[batch.group], step: state.step, isMeasured: false)
    let results = try programs[batch.group].gradients(inputs)
    let loss = mean(results["loss"]?.floats ?? [])
    let norm = state.groups.reduce(0) { $0 + $1.squaredGradientNorm }.squareRoot()
    guard loss.isFinite, norm.isFinite else {
      let first = try programs[batch.group].firstNonFinite().map { "; the first such value is \($0)" }
      throw CommandError.failure(
        "\(stage.rawValue): step \(state.step + 1): the loss is \(loss), the gradients' norm "
          + "\(norm)\(first ?? ""); the last checkpoint is in '\(folder.training.path)'")
    }
    let done = Double(state.step)
    try programs[0].update(
      state.step + 1, rate: rate, scale: min(1, recipe.gradientNorm / max(norm, 1e-12)),
      blend: 1 - min(recipe.averageDecay, (1 + done) / (10 + done)))
    return results
  }

  /// Logs a line, with the loss on held-out pictures when asked for.
  private mutating func note(_ line: PretrainingLog.Line, measuring: Bool) throws {
    var line = line
    if measuring, !measured.isEmpty {
      let (loss, measure) = try validation()
      (line.validationLoss, line.validationMeasure) = (loss, measure)
    }
    try log.append(line)
    reporter.info("\(stage.rawValue) \(line.json)")
  }

  /// The mean loss and measure over the measured batches.
  private func validation() throws -> (loss: Double, measure: Double) {
    let begin = Clock.now()
    var (loss, measure) = (0.0, 0.0)
    for (number, batch) in measured.enumerated() {
      let inputs = try task.inputs(
        batch, plan.groups[batch.group], step: number, isMeasured: true)
      let results = try measuring[batch.group]?.results(inputs) ?? [:]
      loss += mean(results["loss"]?.floats ?? [])
      measure += mean(results[task.measure]?.floats ?? [])
    }
    reporter.detail(
      "measured \(measured.count) batches in \(String(format: "%.2f", Clock.now() - begin)) s")
    return (loss / Double(measured.count), measure / Double(measured.count))
  }

  private func mean(_ values: [Float]) -> Double {
    values.reduce(0) { $0 + Double($1) } / Double(max(1, values.count))
  }

  /// Writes the checkpoint, then the model with the running means.
  private func save() throws {
    let file = folder.training.appending(path: "\(stage.rawValue).safetensors")
    try state.write(to: file, settings: request.settings(stage))
    let average = state.average
    let model = try folder.model()
    for component in task.components {
      let weights = try model.canonicalWeights(component)
      try folder.write(
        component,
        Dictionary(uniqueKeysWithValues: weights.map { ($0.key, average[$0.key] ?? $0.value) }))
    }
  }
}
