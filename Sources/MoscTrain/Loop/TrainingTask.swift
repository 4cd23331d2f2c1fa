import MoscEngine
import MoscFormats

/// What differs between the runs that share a `TrainingLoop`.
protocol TrainingTask {
  /// The result of a step that is logged beside the loss, averaged over its elements.
  var measure: String { get }

  /// A batch and the program for it.
  ///
  /// - Parameter number: counted over the batches of all steps, from 0.
  mutating func batch(
    _ number: Int
  ) throws -> (program: TrainingProgram, inputs: [String: HostArray])

  /// How the gradients of a step change the parameters.
  ///
  /// - Parameters:
  ///   - step: steps done.
  ///   - norm: the norm of all gradients together.
  func update(_ step: Int, norm: Double) -> StepUpdate

  /// The line of the log.
  func line(_ numbers: StepNumbers) -> [(name: String, value: Double)]

  /// What is logged before the first step and with every save, such as the loss on held-out pictures.
  func measured() throws -> [(name: String, value: Double)]

  /// What is made whenever the state is saved.
  func saved() throws

  /// What is made after a step, counted from 1.
  func finished(_ step: Int) throws
}

extension TrainingTask {
  func measured() throws -> [(name: String, value: Double)] { [] }
  func saved() throws {}
  func finished(_ step: Int) throws {}
}

/// How gradients change the parameters in a step.
struct StepUpdate {
  /// What gradients are multiplied with.
  var scale = 1.0
  /// The share of the new parameters in their running mean.
  var blend: Double?
  /// The names of groups that stay as they are.
  var frozen: Set<String> = []
}

/// The means over the steps since the last line of the log.
struct StepNumbers {
  var loss = 0.0
  var measure = 0.0
  /// The factor of the learning rates in the last step.
  var rate = 0.0
  /// Seconds of a step.
  var seconds = 0.0
  /// Seconds of the run so far, those before it was taken up included.
  var total = 0.0
}

/// How long a run is, and how often it does what.
struct LoopPlan {
  /// What messages call the run.
  var title: String
  var steps: Int
  var schedule: LearningRateSchedule
  /// Batches whose gradients are added up for a step.
  var parts = 1
  /// Steps between states, between lines of the log, and between messages.
  var saveEvery: Int
  var logEvery = 1
  var reportEvery: Int
}
