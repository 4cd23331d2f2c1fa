import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscRandom

/// Learning what other models predicted, as the training loop sees it.
///
/// The step is that of concept tuning with `signal = 1` and `level = 0`: the latents are read as they are, and
/// the noise stands for the prediction to learn, whatever the network predicts.
struct DistillationTask: TrainingTask {
  let measure = "attn_reg"
  private let program: TrainingProgram
  private let step: ConceptStep
  private let text: ConceptInputs
  /// Those of each model; models take turns.
  private let examples: [[DistillationExample]]
  private let random: RunSeed

  init(
    _ program: TrainingProgram, _ step: ConceptStep, _ text: ConceptInputs,
    _ examples: [[DistillationExample]], _ random: RunSeed
  ) {
    (self.program, self.step, self.text) = (program, step, text)
    (self.examples, self.random) = (examples, random)
  }

  func batch(
    _ number: Int
  ) throws -> (program: TrainingProgram, inputs: [String: HostArray]) {
    let chosen = (0..<step.batch).map { example(number * step.batch + $0) }
    let count = step.batch
    let shape = [count] + chosen[0].sample.shape.dropFirst()
    let scalar = [count, 1, 1, 1]
    let pixels = step.height * step.width
    var inputs = try text.text(chosen.map(\.prompt))
    inputs["latents"] = HostArray(chosen.flatMap(\.sample.floats), shape: shape)
    inputs["noise"] = HostArray(chosen.flatMap(\.target.floats), shape: shape)
    inputs["noise_offset"] = HostArray(
      [Float](repeating: 0, count: count * shape[3]), shape: [count, 1, 1, shape[3]])
    inputs["signal"] = HostArray([Float](repeating: 1, count: count), shape: scalar)
    inputs["level"] = HostArray([Float](repeating: 0, count: count), shape: scalar)
    inputs["timestep"] = HostArray(chosen.map { Float($0.timestep) }, shape: [count])
    inputs["loss_weight"] = HostArray(
      [Float](repeating: 1 / Float(count * pixels), count: count * pixels),
      shape: [count, step.height, step.width, 1])
    return (program, inputs)
  }

  /// The example at a place of the run: models in turn, those of each in random order without repeating one
  /// before all had their turn.
  private func example(_ place: Int) -> DistillationExample {
    let (turn, model) = place.quotientAndRemainder(dividingBy: examples.count)
    let own = examples[model]
    let (round, index) = turn.quotientAndRemainder(dividingBy: own.count)
    return own[random.permutation(.order, round, count: own.count, salt: UInt32(model))[index]]
  }

  func update(_ step: Int, norm: Double) -> StepUpdate {
    // What words mean belongs to the concepts.
    StepUpdate(frozen: [TrainedConcept.Group.embedding.rawValue])
  }

  func line(_ numbers: StepNumbers) -> [(name: String, value: Double)] {
    [("loss", numbers.loss), ("rate", numbers.rate), ("seconds", numbers.seconds)]
  }
}
