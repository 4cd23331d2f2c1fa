import Foundation
import MoscCluster
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscReport

/// Gathers statistics where they are not there yet, and solves the layers.
struct FusionRun {
  let plan: FusionPlan
  let compiler: Compiler
  let request: FuseRequest
  /// The processes that share the work; nil for this one alone.
  let cluster: Cluster?
  private let collector: StatisticsCollector

  init(_ plan: FusionPlan, _ compiler: Compiler, _ request: FuseRequest, _ cluster: Cluster? = nil) {
    self.plan = plan
    self.cluster = cluster
    self.compiler = compiler
    self.request = request
    collector = StatisticsCollector(
      compiler: compiler, layers: plan.layers, settings: plan.settings)
  }

  /// Each concept is measured on the model that it alone changes, so that its statistics do not
  /// depend on the others.
  func independent(_ report: inout FusionReport) throws -> [FusedLayer] {
    guard let folder = plan.folder else { return [] }
    if let cluster { return try independent(cluster, folder, &report) }
    var sources: [FusionLayer.Stage: [StageSolver.Source]] = [:]
    for (number, concept) in plan.list.enumerated() {
      let model = try plan.adapted([(concept.file, concept.measured)])
      try report.measure("statistics of \(concept.name)") { _ in
        for stage in FusionLayer.Stage.allCases where !plan.layers[stage].isEmpty {
          let file = try statistics(concept, stage, folder) {
            try collect(concept, number, stage, model)
          }
          sources[stage, default: []].append((concept, file))
        }
      }
    }
    if request.statistics != nil { try folder.keep(plan.list, of: plan.fingerprint) }
    return try report.measure("solving") { _ in
      try FusionLayer.Stage.allCases.flatMap { stage in
        try solve(stage, sources[stage] ?? [])
      }
    }
  }

  /// Each stage is measured on the fused stages before it, as the reference does.
  func chained(_ report: inout FusionReport) throws -> [FusedLayer] {
    guard let folder = plan.folder else { return [] }
    if let cluster { return try chained(cluster, folder, &report) }
    var result: [FusedLayer] = []
    for stage in FusionLayer.Stage.allCases where !plan.layers[stage].isEmpty {
      var sources: [StageSolver.Source] = []
      try report.measure("statistics of stage \(stage.rawValue)") { _ in
        for (number, concept) in plan.list.enumerated() {
          let file = try statistics(
            concept, stage, folder, context: context(of: stage)
          ) {
            try collect(concept, number, stage, try model(for: concept, stage, after: result))
          }
          sources.append((concept, file))
        }
      }
      result += try report.measure("solving stage \(stage.rawValue)") { _ in
        try solve(stage, sources)
      }
    }
    return result
  }

  /// What the statistics of a stage depend on besides: every concept, and how the stages before were solved.
  func context(of stage: FusionLayer.Stage) -> String {
    if stage == .text { return "chain" }
    let all = plan.list.map { "\($0.digest) \($0.strength)" }.joined(separator: "\n")
    return "\(all)\n\(request.chosenSolver.rawValue) \(request.textIterations)"
  }

  /// The base with the fused stages so far and what the concept changes in this one.
  func model(
    for concept: FusionConcept, _ stage: FusionLayer.Stage, after fused: [FusedLayer]
  ) throws -> DiffusersModel {
    var files: [(AdapterFile, AdapterStrength)] = []
    let own: AdapterFile
    switch stage {
    case .text: own = concept.file { $0.network == .textEncoder }
    case .crossAttention: own = concept.file { _ in false }
    case .spatial:
      let keys = Set(plan.layers[.crossAttention].map(\.key))
      own = concept.file { $0.network == .unet && !keys.contains($0.key) }
    }
    if !fused.isEmpty {
      let layers = fused.map(\.adapter)
      files.append(
        (AdapterFile(path: "the fused layers", layers: layers, words: []), AdapterStrength()))
    }
    files.append((own, concept.strength))
    return try plan.adapted(files)
  }

  func collect(
    _ concept: FusionConcept, _ number: Int, _ stage: FusionLayer.Stage, _ model: DiffusersModel
  ) throws -> ConceptMoments {
    switch stage {
    case .text: return try collector.text(concept, model)
    case .crossAttention: return try collector.crossAttention(concept, model)
    case .spatial:
      let initial = plan.latents.isEmpty ? nil : plan.latents[number]
      return try collector.spatial(concept, model, latents: initial)
    }
  }

  /// The statistics of a concept and stage, gathered now unless they are there already.
  func statistics(
    _ concept: FusionConcept, _ stage: FusionLayer.Stage, _ folder: StatisticsFolder,
    context: String = "", _ gather: () throws -> ConceptMoments
  ) throws -> StatisticsFile {
    let key = plan.key(
      concept, stage, precision: compiler.target.precision.rawValue, context: context)
    let url = folder.moments(concept, stage)
    if let file = try StatisticsFile(url, key: key),
      request.inputs.isEmpty || plan.layers[stage].allSatisfy(file.holds)
    {
      reporter.detail("\(concept.name), \(stage.rawValue): statistics are there already")
      for layer in plan.layers[stage] where !file.holds(layer) {
        reporter.detail("\(concept.name) was not measured in layer '\(layer.id)'")
      }
      return file
    }
    let moments = try gather()
    guard moments.isFinite else {
      throw CommandError.failure(
        "running '\(concept.name)' gave numbers that are not finite; its strengths may be too large")
    }
    try StatisticsFile.write(moments, key: key, to: url)
    guard let file = try StatisticsFile(url, key: key) else {
      throw CommandError.failure("'\(url.path)' cannot be read back")
    }
    return file
  }

  /// - Parameter layers: those to solve; nil for all of the stage.
  func solve(
    _ stage: FusionLayer.Stage, _ sources: [StageSolver.Source], _ layers: [FusionLayer]? = nil
  ) throws -> [FusedLayer] {
    let solver = StageSolver(
      solver: request.chosenSolver,
      iterations: stage == .spatial ? request.unetIterations : request.textIterations,
      threads: compiler.target.threads)
    return try reporter.phase(.run, "solving \(stage.rawValue)") {
      try solver.solve(layers ?? plan.layers[stage], sources, reporter)
    }
  }

  private var reporter: Reporter { compiler.reporter }
}
