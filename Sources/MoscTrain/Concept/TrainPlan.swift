import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscRandom
import MoscReport

/// A training run, checked as far as possible before anything heavy starts.
package struct TrainPlan: Sendable {
  package let request: TrainRequest
  package let setup: TrainingSetup
  /// The model with the concept as its one adapter.
  package let model: DiffusersModel
  package let output: OutputFile
  package let layout: ConceptFile.Layout
  /// Updates of the parameters.
  package let steps: Int
  package let schedule: LearningRateSchedule
  package let optimiser: AdamW
  /// What is done about the state of an earlier run.
  let policy: TrainingState.Policy
  /// Draws that are replayed in place of a dataset.
  let replay: StepRecording?
  let record: OutputFile?
  let seed: RunSeed

  /// What users of the output find beside it.
  enum Companion: String, CaseIterable {
    case state = ".state.safetensors"
    case log = ".log.jsonl"
    case plot = ".loss.svg"
  }

  /// - Throws: `DatasetError` with everything that is wrong with the data, `CommandError` for
  ///   settings.
  package init(_ request: TrainRequest) throws {
    self.request = request
    try Self.checkNumbers(request)
    output = try OutputFile(request.output, .concept)
    if output.isStandardOutput { throw CommandError.usage("--output: expected a file, found '-'") }
    for companion in Companion.allCases {
      _ = try OutputFile(Self.companion(output, companion.rawValue).path)
    }
    policy = try TrainingState.Policy(resumes: request.resumes, overwrites: request.overwrites)
    try TrainingState.check(Self.companion(output, Companion.state.rawValue), policy)
    layout = request.layout ?? ConceptFile.Layout(output.url)
    record = try request.recordDraws.map { try OutputFile($0) }
    replay = try request.replayDraws.map { try StepRecording($0) }
    var base = try ModelComponents.open(request.model.path, vae: request.model.vae)
    var started = try Self.started(request, base)
    let size = try request.resolution ?? base.trainedSize()
    let defaults = try ModelDefaults(of: base)
    var setup = try replay?.setup
      ?? request.setup(size: size, words: started?.adapters.words.map(\.text), defaults)
    if request.model.path == nil, let path = setup.model.path {
      base = try DiffusersModel(at: URL(fileURLWithPath: path))
      started = try Self.started(request, base)
    }
    request.apply(to: &setup)
    let factor = try base.vae().config.downsampling
    setup.dataset.latentFactor = factor
    guard size >= factor, size % factor == 0 else {
      throw CommandError.usage(
        "--resolution \(size): expected a multiple of \(factor), which is a pixel of the latents")
    }
    seed = RunSeed(setup.seed)
    try Self.checkNetwork(base)
    if replay == nil { try Self.check(&setup, base) }
    if let started {
      model = started
    } else if replay != nil {
      throw CommandError.usage("--replay-draws needs the concept it starts from: give it with --lora")
    } else {
      let start = ConceptStart(setup: setup, model: base, seed: seed)
      base.adapters = try AdapterSet([(try start.adapter(), AdapterStrength())], base)
      model = base
    }
    let total = try replay?.scheduledSteps.map(Double.init)
      ?? Self.total(request, setup, defaults.training)
    steps = min(
      request.steps ?? Int(total.rounded(.up)), replay?.stepCount ?? .max)
    try CommandError.check("steps", steps, in: 1...Self.mostSteps)
    schedule = LearningRateSchedule(
      replay?.schedule ?? request.rateShape, warmUp: request.warmUp, total: total)
    optimiser = AdamW(beta1: setup.optimiser.beta1, beta2: setup.optimiser.beta2)
    self.setup = setup
    try checkPreviews()
    try checkDisk()
  }

  /// The steps that the learning rates are planned for.
  private static func total(
    _ request: TrainRequest, _ setup: TrainingSetup, _ defaults: TrainingDefaults
  ) throws -> Double {
    if let steps = request.steps {
      guard request.epochs == nil else {
        throw CommandError.usage("--steps and --epochs exclude each other")
      }
      return Double(steps)
    }
    if let epochs = request.epochs {
      let batches = max(1, setup.dataset.images.count / setup.dataset.batchSize)
      let steps = (batches + setup.gradientAccumulation - 1) / setup.gradientAccumulation
      return Double(epochs) * Double(steps)
    }
    if request.config != nil, case .complete = try request.source() { return setup.steps }
    return Double(defaults.steps)
  }

  /// The model with the file that training goes on from; nil when it starts anew.
  private static func started(
    _ request: TrainRequest, _ base: DiffusersModel
  ) throws -> DiffusersModel? {
    if request.model.adapters.files.isEmpty { return nil }
    for (flag, isGiven) in [
      ("--rank", request.rank != nil), ("--layers", request.layers != nil), ("--alpha", request.alpha != nil),
      ("--network-alpha", request.networkAlpha != nil),
    ] where isGiven {
      throw CommandError.usage("\(flag) and --lora exclude each other: training goes on from the file")
    }
    var options = request.model
    options.path = base.url.path
    let model = try ModelComponents.open(options)
    guard model.adapters.adapters.count == 1, !model.adapters.words.isEmpty else {
      throw CommandError.usage("--lora: training goes on from one file with concept words")
    }
    guard model.adapters.adapters.allSatisfy(\.changes.isEmpty),
      model.adapters.words.allSatisfy({ $0.isLayerwise || $0.tokenNames.count == 1 })
    else {
      throw CommandError.usage(
        "--lora: training goes on from low-rank layers and layer-wise words alone; this file holds others")
    }
    return model
  }

  /// The words that are taught, as captions spell them.
  package var words: String { model.adapters.words.map(\.text).joined(separator: " ") }

  /// What previews show.
  var previewPrompts: [String] {
    if !request.previewPrompts.isEmpty { return request.previewPrompts }
    if !setup.validation.prompts.isEmpty { return setup.validation.prompts }
    return ["a photo of a \(words)"]
  }

  /// A file beside the output.
  package func companion(_ suffix: String) -> URL { Self.companion(output, suffix) }

  func companion(_ companion: Companion) -> URL { self.companion(companion.rawValue) }

  /// The concept after some steps.
  func numbered(_ step: Int) -> URL {
    let suffix = output.url.pathExtension
    return companion(String(format: "-step%08d", step) + (suffix.isEmpty ? "" : ".\(suffix)"))
  }

  private static func companion(_ output: OutputFile, _ suffix: String) -> URL {
    let name = output.url.deletingPathExtension().lastPathComponent
    return output.url.deletingLastPathComponent().appending(path: name + suffix)
  }
}
