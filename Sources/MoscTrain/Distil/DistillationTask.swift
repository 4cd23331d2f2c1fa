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
  /// Those of each model by their prompts; models take turns.
  private let examples: [[[DistillationExample]]]
  /// The steps in which the examples of each model have their turn.
  private let parts: [[(group: Int, number: Int)]]
  private let random: RunSeed

  init(
    _ program: TrainingProgram, _ step: ConceptStep, _ text: ConceptInputs,
    _ examples: [[DistillationExample]], _ random: RunSeed
  ) {
    (self.program, self.step, self.text) = (program, step, text)
    self.examples = examples.map { own in
      let groups = Dictionary(grouping: own, by: \.prompt)
      return groups.keys.sorted().compactMap { groups[$0] }
    }
    parts = self.examples.map { own in
      own.enumerated().flatMap { index, group in
        (0..<max(1, group.count / step.batch)).map { (index, $0) }
      }
    }
    self.random = random
  }

  func batch(
    _ number: Int
  ) throws -> (program: TrainingProgram, inputs: [String: HostArray]) {
    let chosen = chosen(number)
    let count = step.batch
    let shape = [count] + chosen[0].sample.shape.dropFirst()
    let scalar = [count, 1, 1, 1]
    let pixels = step.height * step.width
    var inputs = try text.text([chosen[0].prompt])
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

  /// The examples of a step: models in turn, those of each in random order, with one prompt for all in a step, which
  /// is encoded once. None is repeated before all had their turn.
  private func chosen(_ number: Int) -> [DistillationExample] {
    let (turn, model) = number.quotientAndRemainder(dividingBy: examples.count)
    let (own, parts) = (examples[model], parts[model])
    func order(_ round: Int, _ count: Int, _ place: Int) -> [Int] {
      random.permutation(.order, round, count: count, salt: UInt32(model << 16 + place))
    }
    let (round, index) = turn.quotientAndRemainder(dividingBy: parts.count)
    let part = parts[order(round, parts.count, 0)[index]]
    let group = own[part.group]
    let places = order(round, group.count, part.group + 1)
    return (0..<step.batch).map { group[places[(part.number * step.batch + $0) % group.count]] }
  }

  func update(_ step: Int, norm: Double) -> StepUpdate {
    // What words mean belongs to the concepts.
    StepUpdate(frozen: [TrainedConcept.Group.embedding.rawValue])
  }

  func line(_ numbers: StepNumbers) -> [(name: String, value: Double)] {
    [("loss", numbers.loss), ("rate", numbers.rate), ("seconds", numbers.seconds)]
  }
}
