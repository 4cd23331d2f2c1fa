import Foundation
import MoscCluster
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscRandom
import MoscReport
import MoscSample
import MoscTrain

/// `mosc fuse`: makes one change of the model out of several concepts.
package struct FuseJob {
  package let request: FuseRequest
  package let reporter: Reporter
  /// The processes that share the work; nil for this one alone.
  private let cluster: Cluster?

  package init(_ request: FuseRequest, _ reporter: Reporter, _ cluster: Cluster? = nil) {
    (self.request, self.reporter, self.cluster) = (request, reporter, cluster)
  }

  package func run() throws {
    try request.check()
    try LinearAlgebra.load()
    let output = try OutputPattern(request.output, .fusedConcept, prefix: "fused-").file()
    if output.isStandardOutput { throw CommandError.usage("--output: expected a file, found '-'") }
    let fullModel = try request.fullModel.map { try FullModelFolder($0) }
    // Others must not write the file, nor the model if there is to be one.
    func withModel() throws {
      guard let fullModel else { return try perform(output, fullModel) }
      try OutputLock.holding(fullModel.url, reporter) { try perform(output, fullModel) }
    }
    try OutputLock.holding(output.url, reporter, withModel)
  }

  private func perform(_ output: OutputFile, _ fullModel: FullModelFolder?) throws {
    let reportFile = try request.report.map { try OutputFile($0) }
    let sheet = try request.sheet.map { try OutputFile($0, .picture) }
    let base = try ModelComponents.open(request.model.path, vae: request.model.vae)
    try ModelComponents.verify(base)
    if let fullModel {
      let tensors = try DiffusersModel.Component.allCases.flatMap { try base.weights($0).all }
      try DiskSpace.check(
        fullModel.url.deletingLastPathComponent(),
        needs: tensors.reduce(0) { $0 + $1.stored.bytes.count },
        for: "the files of the whole model")
    }
    let plan = try FusionPlan(request, base, scratch: "\(output.path).fusing")
    for note in plan.concepts.notes { reporter.warn(note) }
    reporter.info(
      "fusing \(plan.list.count) concepts in \(plan.layers.solved.count) layers: "
        + plan.list.map(\.name).joined(separator: ", "))
    var report = FusionReport()
    report.notes = plan.concepts.notes
    let fused: [AdapterFile.Layer]
    if request.method == .solve {
      fused = try solved(plan, &report)
    } else {
      fused = try merged(plan, &report)
    }
    for layer in report.merges { reporter.detail(layer.text) }
    let words = plan.list.flatMap(\.file.words)
    // Another run may have taken the number.
    let file = try output.settled
    try FusedFile.write(
      fused, words, title: Self.title(file.path), metadata: plan.lineage, to: file.url)
    reporter.info(
      "\(file.path): \(fused.count) layers, rank up to \(fused.map(\.rank).max() ?? 0), "
        + "\(words.count) words")
    if let fullModel {
      try FullModelWriter(base: base, layers: fused, words: words).write(to: fullModel)
      reporter.info("\(fullModel.url.path): the whole model")
    }
    for line in report.summary { reporter.info(line) }
    if let warning = report.warning { reporter.warn(warning) }
    if let reportFile {
      try reportFile.write("\(report.json(plan.settingsValue))\n")
    }
    if let sheet {
      try FusionSheet(plan, request, file.path, reporter).write(to: sheet)
    }
    plan.finish()
    // What a report on standard output says would not be read with a name behind it.
    if reportFile?.isStandardOutput != true, sheet?.isStandardOutput != true {
      try reporter.result(file.path)
    }
    if let limit = request.failAbove, let worst = report.worst, !(worst.residual <= limit) {
      throw CommandError(
        .strictness,
        "the residual of '\(worst.concept)' in layer '\(worst.layer)' is \(worst.residual), more "
          + "than --fail-above \(limit)")
    }
  }

  private static func title(_ path: String) -> String {
    URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
  }

  // MARK: Least squares

  private func solved(
    _ plan: FusionPlan, _ report: inout FusionReport
  ) throws -> [AdapterFile.Layer] {
    let compiler = try Compiler(
      cluster?.compiling(request.compiler) ?? request.compiler, precision: request.model.precision, reporter)
    try cluster?.summon(SharedConcepts(plan.list).bytes)
    let run = FusionRun(plan, compiler, request, cluster)
    let layers = request.matchesMixOfShow ? try run.chained(&report) : try run.independent(&report)
    report.layers = layers
    let made = layers.map(\.adapter)
      + plan.layers.summed.compactMap { layer in
        report.merge(layer, .concat, plan.list, factor: 1, PlainMerge.sum(layer, plan.list))
      }
    if plan.refinement.steps == 0 { return made }
    return try FusionRefinement(plan: plan, request: request, reporter: reporter).refined(made, &report)
  }

  // MARK: Plain merges

  private func merged(
    _ plan: FusionPlan, _ report: inout FusionReport
  ) throws -> [AdapterFile.Layer] {
    let all = plan.layers.solved + plan.layers.summed
    let largest = plan.list.flatMap { $0.file.layers.map(\.rank) }.max() ?? 1
    let factor = request.method == .weighted ? 1 / Double(plan.list.count) : 1
    let sparse = SparseMerge(
      method: request.method, density: request.density ?? 0.5, random: RunSeed(request.seed))
    return try all.enumerated().compactMap { number, layer in
      let made =
        switch request.method {
        case .svd: try PlainMerge.resized(layer, plan.list, rank: request.rank ?? largest)
        case .ties, .dare: try sparse(layer, number: number, plan.list, rank: request.rank)
        case .solve, .weighted, .concat: PlainMerge.sum(layer, plan.list, factor: factor)
        }
      return report.merge(layer, request.method, plan.list, factor: factor, made)
    }
  }
}
