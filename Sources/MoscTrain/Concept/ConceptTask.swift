import MoscEngine
import MoscFormats

/// Teaching a concept, as the training loop sees it.
struct ConceptTask: TrainingTask {
  let measure = "attn_reg"
  private let plan: TrainPlan
  private let concept: TrainedConcept
  private let groups: [ParameterGroup]
  private let program: TrainingProgram
  private let inputs: ConceptInputs
  private var draws: any TrainingDraws
  private let preview: ConceptPreview
  private(set) var recording: DrawRecording?

  init(
    _ plan: TrainPlan, _ concept: TrainedConcept, _ groups: [ParameterGroup],
    _ program: TrainingProgram, _ inputs: ConceptInputs, _ draws: any TrainingDraws,
    _ compiler: Compiler
  ) {
    self.plan = plan
    self.concept = concept
    self.groups = groups
    self.program = program
    self.inputs = inputs
    self.draws = draws
    preview = ConceptPreview(plan, concept, compiler)
    recording = plan.record.map { DrawRecording($0, plan) }
  }

  mutating func batch(
    _ number: Int
  ) throws -> (program: TrainingProgram, inputs: [String: HostArray]) {
    let batch = try draws.batch(number)
    recording?.append(batch, number)
    return (program, try inputs.inputs(batch))
  }

  func update(_ step: Int, norm: Double) -> StepUpdate {
    var frozen = Set(
      concept.isTrained(plan.setup.model).filter { !$0.1 }.map(\.0.rawValue))
    // Embeddings that are long enough change no more, so this stays as it is, also after --resume.
    let threshold = plan.setup.optimiser.embeddingNormThreshold
    if step > 0, concept.meanRowNorm(groups) >= threshold {
      frozen.insert(TrainedConcept.Group.embedding.rawValue)
    }
    return StepUpdate(
      scale: 1 / Double(plan.setup.gradientAccumulation),
      blend: plan.request.averageDecay.map { 1 - $0 }, frozen: frozen)
  }

  func line(_ numbers: StepNumbers) -> [(name: String, value: Double)] {
    [
      ("loss", numbers.loss), ("attn_reg", numbers.measure), ("norm", concept.meanRowNorm(groups)),
      ("lr", numbers.rate * (plan.setup.model.unet?.learningRate ?? 0)),
      ("seconds", numbers.seconds),
    ]
  }

  func finished(_ step: Int) throws {
    // The last one is the concept itself.
    if let interval = plan.setup.saveInterval, step % interval == 0, step < plan.steps {
      try ConceptExport(plan, concept).write(groups, to: plan.numbered(step))
    }
    if let interval = plan.request.previewInterval, step % interval == 0 {
      try preview.draw(groups, step: step)
    }
  }
}
