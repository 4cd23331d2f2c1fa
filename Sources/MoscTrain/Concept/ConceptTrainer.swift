import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport
import MoscRuntime

/// Runs the steps of a plan.
final class ConceptTrainer {
  private let plan: TrainPlan
  private let compiler: Compiler
  private let concept: TrainedConcept
  private let program: TrainingProgram
  private let inputs: ConceptInputs
  private var draws: any TrainingDraws
  private var checkpoint: TrainingCheckpoint
  private var log: RunLog
  private var recording: DrawRecording?

  /// What users of the output find beside it.
  enum Companion {
    static let state = ".state.safetensors"
    static let log = ".log.jsonl"
    static let plot = ".loss.svg"
  }

  init(_ plan: TrainPlan, _ compiler: Compiler) throws {
    self.plan = plan
    self.compiler = compiler
    let settings = plan.setup.model
    concept = TrainedConcept(plan.model)
    draws = try Self.draws(plan, compiler)
    let first = try draws.batch(0)
    var step = try ConceptStep(first, settings, plan.model)
    if draws.captions?.count != 1 { step.captions = step.batch }
    let training = try plan.model.trainingModule(step)
    let groups = try concept.groups(
      training, settings, plan.setup.optimiser,
      accumulates: plan.setup.gradientAccumulation > 1,
      keepsAverage: plan.request.averageDecay != nil)
    checkpoint = TrainingCheckpoint(
      plan.companion(Companion.state), fingerprint: plan.fingerprint)
    if plan.request.resumes { try checkpoint.resume(groups) }
    log = try RunLog(plan.companion(Companion.log), through: checkpoint.step)
    let budgeted = try MemoryChoice.compiler(
      for: training.module, limit: plan.request.memoryLimit, compiler)
    program = try TrainingProgram(training, groups, plan.optimiser, budgeted)
    compiler.reporter.detail(
      "memory of a step: \(program.memory.load >> 20) MiB of weights, "
        + "\(program.memory.arena >> 20) MiB of values")
    inputs = try ConceptInputs(step, settings, plan.model)
    program.isProfiling = plan.request.profiles
    recording = plan.record.map { DrawRecording($0, plan) }
  }

  private static func draws(
    _ plan: TrainPlan, _ compiler: Compiler
  ) throws -> any TrainingDraws {
    if let replay = plan.replay { return RecordedDraws(replay) }
    let cache = try compiler.reporter.phase(.encode, "pictures") {
      try LatentCache(
        plan.setup.dataset, variants: plan.request.variants, seed: plan.seed, plan.model, compiler)
    }
    return DatasetDraws(
      plan.setup.dataset, cache, seed: plan.seed,
      trainSteps: try SchedulerConfig(of: plan.model).trainSteps)
  }

  /// Takes every step that is left, and writes the concept.
  func run() throws {
    let reporter = compiler.reporter
    if checkpoint.step > 0 { reporter.info("going on after step \(checkpoint.step)") }
    reporter.begin(.train, plan.output.path)
    do {
      while checkpoint.step < plan.steps {
        try Interruption.check()
        try takeStep()
        let isDue = checkpoint.step % max(1, plan.setup.saveInterval) == 0
        if isDue, checkpoint.step < plan.steps { try save() }
        try preview()
      }
    } catch let error as CommandError where error == .interrupted {
      try save()
      reporter.info("saved after step \(checkpoint.step); --resume goes on from there")
      throw error
    }
    reporter.end(.train, plan.output.path)
    try ConceptExport(plan, concept).write(program.groups, to: plan.output.url)
    try AtomicFile.write(Data(log.plot.utf8), to: plan.companion(Companion.plot))
    try recording?.write()
    checkpoint.remove()
    if plan.request.profiles {
      reporter.print(program.profile(try MachinePeak(compiler)).text())
    }
    reporter.info("\(plan.output.path): \(plan.model.adapters.words.map(\.text).joined(separator: " "))")
  }

  private func takeStep() throws {
    let begin = Clock.now()
    let accumulation = plan.setup.gradientAccumulation
    var (loss, attention) = (0.0, 0.0)
    let number = checkpoint.step
    for group in program.groups { group.clearSum() }
    for part in 0..<accumulation {
      let batch = try draws.batch(number * accumulation + part)
      recording?.append(batch, number * accumulation + part)
      let given = try inputs.inputs(batch)
      let results = try program.gradients(given)
      loss += Double(results["loss"]?.floats.first ?? .nan) / Double(accumulation)
      attention += Double(results["attn_reg"]?.floats.first ?? .nan) / Double(accumulation)
    }
    let gradients = program.groups.reduce(0) { $0 + $1.squaredGradientNorm }
    guard loss.isFinite, gradients.isFinite else { throw try diverged(loss) }
    let rate = plan.schedule.factor(number)
    var frozen: Set<String> = []
    if checkpoint.isFrozen { frozen.insert(TrainedConcept.Group.embedding.rawValue) }
    for (group, isTrained) in concept.isTrained(plan.setup.model) where !isTrained {
      frozen.insert(group.rawValue)
    }
    try program.update(
      number + 1, rate: rate, scale: 1 / Double(accumulation),
      blend: plan.request.averageDecay.map { 1 - $0 }, frozen: frozen)
    checkpoint.step += 1
    let norm = concept.meanRowNorm(program.groups)
    if norm >= plan.setup.optimiser.embeddingNormThreshold { checkpoint.isFrozen = true }
    let record = StepRecord(
      step: checkpoint.step, loss: loss, attention: attention, embeddingNorm: norm,
      learningRate: rate * (plan.setup.model.unet?.learningRate ?? 0),
      seconds: Clock.now() - begin)
    try log.append(record)
    compiler.reporter.progress(
      .train, "loss \(String(format: "%.4f", loss))", done: checkpoint.step, of: plan.steps)
    let interval = max(1, plan.setup.printInterval)
    if checkpoint.step % interval == 0 || checkpoint.step == plan.steps { report(record) }
  }

  private func report(_ record: StepRecord) {
    let recent = log.records.suffix(plan.setup.printInterval)
    let loss = recent.reduce(0) { $0 + $1.loss } / Double(recent.count)
    let seconds = recent.reduce(0) { $0 + $1.seconds } / Double(recent.count)
    let left = Int(seconds * Double(plan.steps - record.step))
    compiler.reporter.info(
      "step \(record.step)/\(plan.steps): loss \(String(format: "%.4f", loss)), embedding norm "
        + "\(String(format: "%.3f", record.embeddingNorm)), "
        + "\(String(format: "%.2f", seconds)) s/step, \(left / 60) min \(left % 60) s left")
  }

  /// A line for each kernel: its share, its seconds in all steps, its launches.
  private func save() throws {
    try checkpoint.write(program.groups)
    try AtomicFile.write(Data(log.plot.utf8), to: plan.companion(Companion.plot))
  }

  private func preview() throws {
    guard let interval = plan.request.previewInterval, checkpoint.step % interval == 0 else {
      return
    }
    try ConceptPreview(plan, concept, compiler).draw(program.groups, step: checkpoint.step)
  }

  /// The error of a step whose loss or gradients are no numbers.
  private func diverged(_ loss: Double) throws -> CommandError {
    let place = try program.firstNonFinite().map { "; the first such value is \($0)" } ?? ""
    return CommandError.failure(
      "step \(checkpoint.step + 1): the loss is \(loss) and the gradients are not finite\(place); "
        + "lower the learning rates, or use --type f32; the state before the step is kept")
  }
}
