import Foundation
import MoscCluster
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport
import MoscSample

/// A plan with everything that its steps need: from encoded pictures to the written concept.
struct ConceptRun {
  private let plan: TrainPlan
  private let compiler: Compiler
  private let concept: TrainedConcept
  private let program: TrainingProgram
  private var loop: TrainingLoop<ConceptTask>

  init(_ plan: TrainPlan, _ compiler: Compiler, _ cluster: Cluster?) throws {
    self.plan = plan
    self.compiler = compiler
    let (setup, request) = (plan.setup, plan.request)
    let concept = TrainedConcept(plan.model)
    self.concept = concept
    let state = plan.companion(.state)
    let settings = try plan.settings(compiler)
    try cluster?.agree(settings, compiler)
    let start = try TrainingState.open(state, settings, plan.policy)
    if plan.policy == .resume, !start.isResumed {
      compiler.reporter.warn("there is no '\(state.path)' to go on from: beginning at step 0")
    }
    guard start.step <= plan.steps else {
      throw CommandError.usage(
        "--steps \(plan.steps): the run in '\(state.path)' is at step \(start.step) already; give more, or "
          + "begin anew with --overwrite")
    }
    let draws = try Self.draws(plan, compiler)
    let step = try ConceptStep(draws.form, setup.model, plan.model)
    let training = try plan.model.trainingModule(step)
    let groups = try concept.groups(
      training, setup.model, setup.optimiser, accumulates: setup.gradientAccumulation > 1,
      keepsAverage: request.averageDecay != nil)
    let budgeted = try MemoryChoice.compiler(
      for: training.module, limit: request.memoryLimit?.bytes, compiler)
    program = try TrainingProgram(training, groups, budgeted)
    compiler.reporter.info(
      "memory of a step: \(program.memory.load >> 20) MiB of weights, "
        + "\(program.memory.arena >> 20) MiB of values")
    program.isProfiling = request.profiles
    let task = ConceptTask(
      plan, concept, groups, program, try ConceptInputs(step, setup.model, plan.model), draws,
      compiler)
    let loopPlan = LoopPlan(
      title: plan.output.path, steps: plan.steps, schedule: plan.schedule,
      parts: setup.gradientAccumulation, saveEvery: request.saveInterval,
      saveSeconds: request.saveSeconds, reportEvery: max(1, setup.printInterval))
    compiler.reporter.info("the state is saved in \(state.path) \(loopPlan.savingText), and at the end")
    loop = try TrainingLoop(
      task, loopPlan, try TrainingState(start, groups), try Optimiser(plan.optimiser, groups, budgeted),
      TrainingLog(
        plan.companion(.log), picture: plan.companion(.plot), through: start.step),
      compiler.reporter, cluster)
  }

  private static func draws(
    _ plan: TrainPlan, _ compiler: Compiler
  ) throws -> any TrainingDraws {
    if let replay = plan.replay { return try RecordedDraws(replay) }
    let latents = try compiler.reporter.phase(.encode, "pictures") {
      try DatasetLatents(
        plan.setup.dataset, variants: plan.request.variants, seed: plan.seed, plan.model, compiler)
    }
    return DatasetDraws(
      plan.setup.dataset, latents, seed: plan.seed,
      trainSteps: try SchedulerConfig(of: plan.model).trainSteps)
  }

  /// Takes every step that is left, and writes the concept.
  mutating func run() throws {
    _ = try loop.run()
    let reporter = compiler.reporter
    try ConceptExport(plan, concept).write(loop.state.groups, to: plan.output.url)
    try loop.task.recording?.write()
    if plan.request.profiles {
      reporter.print(program.profile(try MachinePeak(compiler)).text())
    }
    reporter.info("\(plan.output.path): \(plan.words)")
  }
}
