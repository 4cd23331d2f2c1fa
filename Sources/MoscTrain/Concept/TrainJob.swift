import Foundation
import MoscCluster
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

/// `mosc train`: teaches a model a concept.
package struct TrainJob {
  package let plan: TrainPlan
  package let reporter: Reporter
  private let cluster: Cluster?
  /// Where a process writes whose files nobody reads.
  private let scratch: ScratchFolder?

  /// - Parameter cluster: the processes that share the work; nil for this one alone.
  /// - Throws: everything that is wrong with data and settings, before any heavy work.
  package init(_ request: TrainRequest, _ reporter: Reporter, _ cluster: Cluster? = nil) throws {
    var request = request
    if let cluster, request.recordDraws != nil {
      throw Verdict(
        .usage, isSpeaker: cluster.isFirst,
        "--record-draws wants all batches of a run, of which each of several processes draws some; record in one")
    }
    scratch = try cluster.flatMap { $0.isFirst ? nil : try ScratchFolder() }
    if let scratch { request = request.following(in: scratch.url) }
    if let cluster, request.compiler.threads == nil { request.compiler.threads = cluster.threads }
    let asked = request
    // What all would refuse is said once.
    plan = try cluster.map { try $0.together { try TrainPlan(asked) } } ?? TrainPlan(asked)
    self.reporter = cluster?.reporter(reporter) ?? reporter
    self.cluster = cluster
  }

  package func run() throws {
    try OutputLock.holding(plan.lockedOutput, reporter) {
      // Another run may have ended since the plan was made.
      try TrainingState.check(plan.companion(.state), plan.policy)
      try perform()
    }
  }

  private func perform() throws {
    if !plan.setup.notes.isEmpty {
      reporter.warn("without effect: " + Set(plan.setup.notes).sorted().joined(separator: "; "))
    }
    for warning in plan.setup.warnings { reporter.warn(warning) }
    let compiler = try Compiler(
      training: plan.request.compiler, precision: plan.request.model.precision, reporter)
    for line in plan.summary { reporter.info(line) }
    reporter.info("\(compiler.target.precision.rawValue), \(compiler.target.threads) threads")
    var run = try ConceptRun(plan, compiler, cluster)
    try run.run()
    try reporter.result(plan.output.path)
  }
}

extension TrainPlan {
  /// What no two runs may write: all that lies beside the output has its name.
  var lockedOutput: URL { companion("") }

  /// What is about to happen.
  package var summary: [String] {
    let (model, data) = (setup.model, setup.dataset)
    let adapter = self.model.adapters.adapters.first
    let pictures = Set(data.images.map(\.image)).count
    let batch = data.batchSize * setup.gradientAccumulation
    var lines = [
      "teaching \(words): \(replay == nil ? "\(pictures) pictures" : "recorded draws"), "
        + "\(steps) steps of \(batch) pictures"
    ]
    func rate(_ value: Double?) -> String { value.map { $0 == 0 ? "0" : "\($0)" } ?? "none" }
    let ranks = Set([model.textEncoder, model.unet].compactMap { $0?.rank }).sorted()
    lines.append(
      "rank \(ranks.map(String.init).joined(separator: " and ")) in "
        + "\(adapter?.applied(.textEncoder) ?? 0) layers of the text encoder and "
        + "\(adapter?.applied(.unet) ?? 0) of the U-Net; learning rates: embeddings "
        + "\(rate(model.embedding?.learningRate)), text encoder \(rate(model.textEncoder?.learningRate)), "
        + "U-Net \(rate(model.unet?.learningRate)), \(schedule.shape.rawValue)")
    return lines
  }
}
