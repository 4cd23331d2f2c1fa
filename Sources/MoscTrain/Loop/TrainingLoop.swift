import Foundation
import MoscCluster
import MoscEngine
import MoscFormats
import MoscReport
import MoscRuntime
import MoscSample

/// Runs the steps of a task, with its state saved, its log written and messages about it.
struct TrainingLoop<Task: TrainingTask> {
  private(set) var task: Task
  private(set) var state: TrainingState
  private let plan: LoopPlan
  private let optimiser: Optimiser
  private(set) var log: TrainingLog
  private let reporter: Reporter
  private let cluster: Cluster?
  private let parts: StepParts
  /// Sums over the steps since the last line, and how many they are.
  private var sums = StepNumbers()
  private var counted = 0
  /// The last message: its step and time.
  private var reported = (step: 0, time: 0.0)
  private var clock: SaveClock
  /// Seconds of the first steps, which say how long the run will take.
  private var first: [Double] = []
  private var measuredSteps: Int { 5 }

  init(
    _ task: Task, _ plan: LoopPlan, _ state: TrainingState, _ optimiser: Optimiser,
    _ log: TrainingLog, _ reporter: Reporter, _ cluster: Cluster? = nil
  ) throws {
    self.task = task
    self.plan = plan
    self.state = state
    self.optimiser = optimiser
    self.log = log
    self.reporter = reporter
    clock = SaveClock(longest: plan.saveSeconds, now: Clock.now())
    self.cluster = cluster
    parts = StepParts(plan.parts, cluster, state.groups, reporter)
    try cluster?.share(&self.state)
  }

  /// Takes the steps that are left, or a number of them.
  ///
  /// - Returns: whether the end was reached.
  /// - Throws: `CommandError.interrupted` after saving; `CommandError.failure` for a loss or gradients
  ///   that are no numbers.
  mutating func run(atMost limit: Int? = nil) throws -> Bool {
    let end = min(plan.steps, limit.map { state.step + $0 } ?? plan.steps)
    let begin = Clock.now() - (log.lines.last?["seconds"] ?? 0)
    if state.step > 0 { reporter.info("\(plan.title): going on after step \(state.step)") }
    reported = (state.step, Clock.now())
    clock = SaveClock(longest: plan.saveSeconds, now: Clock.now())
    reporter.begin(.train, plan.title)
    do {
      if state.step == 0 { try note(measuring: true) }
      while state.step < end {
        // Processes of a cluster end together, between two steps.
        if cluster == nil { try Interruption.check() }
        try takeStep()
        sums.total = Clock.now() - begin
        let isSaved = state.step == end || plan.saveEvery.map { state.step % $0 == 0 } == true
        if isSaved || state.step % plan.logEvery == 0 { try note(measuring: isSaved) }
        if isSaved || state.step % plan.reportEvery == 0 { report() }
        if isSaved {
          try save()
        } else if clock.isDue(Clock.now()) {
          try saveState()
        }
        try task.finished(state.step)
      }
    } catch let error as CommandError where error == .interrupted {
      // Whatever was interrupted, the parameters are those of the last whole step.
      if state.step > 0 {
        try save()
        reporter.info("saved after step \(state.step); \(plan.resumption) goes on from there")
      }
      try cluster?.part(MessageLabel(.end, state.step))
      throw error
    }
    reporter.end(.train, plan.title)
    return state.step >= plan.steps
  }

  private mutating func takeStep() throws {
    let begin = Clock.now()
    let sum = try parts.run(state.step, state.groups, measure: task.measure) { try task.batch($0) }
    let loss = sum.loss
    let norm = state.groups.reduce(0) { $0 + $1.squaredGradientNorm }.squareRoot()
    guard loss.isFinite, norm.isFinite else {
      let place = try sum.program?.firstNonFinite().map { "; the first such value is \($0)" } ?? ""
      throw CommandError.failure(
        "\(plan.title): step \(state.step + 1): the loss is \(loss), the norm of the gradients "
          + "\(norm): not finite\(place); lower the learning rates, or use --type f32; what was "
          + "saved before is kept")
    }
    let rate = plan.schedule.factor(state.step)
    try optimiser.update(state.step + 1, rate: rate, task.update(state.step, norm: norm))
    state.step += 1
    sums.loss += loss
    sums.measure += sum.measure
    sums.rate = rate
    let seconds = Clock.now() - begin
    sums.seconds += seconds
    counted += 1
    foresee(seconds)
    reporter.progress(
      .train, "loss \(String(format: "%.4f", loss))", done: state.step, of: plan.steps)
  }

  /// Logs the means since the last line.
  private mutating func note(measuring: Bool) throws {
    var values: [(name: String, value: Double)] = []
    if counted > 0 {
      var numbers = sums
      numbers.loss /= Double(counted)
      numbers.measure /= Double(counted)
      numbers.seconds /= Double(counted)
      values = task.line(numbers)
    }
    if measuring { values += try task.measured() }
    if !values.isEmpty { try log.append(TrainingLog.Line(state.step, values)) }
    (sums, counted) = (StepNumbers(), 0)
  }

  /// Says how far the run is: the mean loss since the last message, and the last line.
  private mutating func report() {
    guard let last = log.lines.last else { return }
    let losses = log.lines.filter { $0.step > reported.step }.compactMap { $0["loss"] }
    let numbers = last.values.filter { $0.name != "seconds" }.map { name, value in
      let mean = losses.reduce(0, +) / Double(max(1, losses.count))
      return "\(name) \(String(format: "%.4g", name == "loss" ? mean : value))"
    }
    let now = Clock.now()
    let seconds = (now - reported.time) / Double(max(1, state.step - reported.step))
    let left = Int(seconds * Double(plan.steps - state.step))
    reported = (state.step, now)
    reporter.info(
      "step \(state.step)/\(plan.steps): \(numbers.joined(separator: ", ")), "
        + "\(String(format: "%.2f", seconds)) s/step, \(left / 60) min \(left % 60) s left")
  }

  /// Says once, after the first steps, how long the run will take and what memory it has.
  private mutating func foresee(_ seconds: Double) {
    guard first.count < measuredSteps else { return }
    first.append(seconds)
    let left = plan.steps - state.step
    guard first.count == measuredSteps, left > 0 else { return }
    // The first step also waits for memory that no other one does.
    let usual = first.sorted()[measuredSteps / 2]
    reporter.info(
      "\(String(format: "%.2g", usual)) s a step: \(left) steps more take about "
        + "\(Reporter.duration(usual * Double(left))); \(DiskSpace.size(ProcessFacts.peakResidentBytes)) of memory so far")
  }

  private mutating func saveState() throws {
    try state.write(of: plan.steps)
    clock.saved(Clock.now())
  }

  private mutating func save() throws {
    try saveState()
    try log.draw()
    try task.saved()
  }
}

extension HostArray {
  /// The mean of all elements.
  var mean: Double {
    floats.reduce(0) { $0 + Double($1) } / Double(max(1, count))
  }
}
