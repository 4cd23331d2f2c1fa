import MoscEngine
import MoscFormats
import MoscReport

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
  /// Steps between states; nil to save by the clock alone.
  var saveEvery: Int?
  /// What goes on with a run that was interrupted.
  var resumption = "--resume"
  /// The most seconds between states.
  var saveSeconds = usualSaveSeconds
  /// Steps between lines of the log, and between messages.
  var logEvery = 1
  var reportEvery: Int

  /// What a crash may cost unless it is said otherwise.
  static let usualSaveSeconds = 300.0

  /// Fails for a time between states that is none.
  static func check(saveSeconds: Double) throws {
    guard !(1...604_800 ~= saveSeconds) else { return }
    throw CommandError.usage(
      "--save-minutes \(saveSeconds / 60): expected from 1/60 (a second) to 10080 (a week)")
  }

  /// How often states are saved, for a message.
  var savingText: String {
    let clock = "at least every \(Reporter.duration(saveSeconds))"
    return saveEvery.map { "every \($0) steps and \(clock)" } ?? clock
  }
}

/// When the next state is due: often while little is lost by it, at last after a fixed time.
///
/// A run that saved after t seconds saves again after 2t, so a crash costs at most half of the work.
package struct SaveClock {
  private let longest: Double
  private let begin: Double
  private var last: Double

  package init(longest: Double, now: Double) {
    self.longest = longest
    (begin, last) = (now, now)
  }

  /// Whether a state is due.
  package func isDue(_ now: Double) -> Bool { now - last >= min(longest, max(1, last - begin)) }

  /// Notes that a state was saved.
  package mutating func saved(_ now: Double) { last = now }
}
