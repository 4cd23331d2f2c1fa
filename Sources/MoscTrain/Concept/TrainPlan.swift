import Foundation
import MoscEngine
import MoscFormats
import MoscIR
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
  /// Draws that are replayed in place of a dataset.
  let replay: StepRecording?
  let record: OutputFile?
  let seed: RunSeed

  /// - Throws: `DatasetError` with everything that is wrong with the data, `CommandError` for
  ///   settings.
  package init(_ request: TrainRequest) throws {
    self.request = request
    try Self.checkNumbers(request)
    output = try OutputFile(request.output, .concept)
    if output.isStandardOutput { throw CommandError.usage("--output: expected a file, found '-'") }
    layout = request.layout ?? ConceptFile.Layout(output.url)
    record = try request.recordDraws.map { try OutputFile($0) }
    replay = try request.replayDraws.map { try StepRecording($0) }
    var base = try ModelComponents.open(request.model.path)
    let size = try request.resolution ?? base.trainedSize()
    var setup = try replay?.setup ?? Self.read(request, size: size)
    if request.model.path == nil, let path = setup.model.path {
      base = try DiffusersModel(folder: URL(fileURLWithPath: path))
    }
    Self.apply(request, to: &setup)
    let factor = try base.vae().config.downsampling
    setup.dataset.latentFactor = factor
    guard size >= factor, size % factor == 0 else {
      throw CommandError.usage(
        "--resolution \(size): expected a multiple of \(factor), which is a pixel of the latents")
    }
    seed = RunSeed(setup.seed)
    if replay == nil { try Self.check(setup, base) }
    if !request.model.adapters.files.isEmpty {
      // Training goes on from a file.
      var options = request.model
      options.path = base.folder.path
      model = try ModelComponents.open(options)
      guard model.adapters.adapters.count == 1, !model.adapters.words.isEmpty else {
        throw CommandError.usage("--lora: training goes on from one file with concept words")
      }
    } else if replay != nil {
      throw CommandError.usage("--replay-draws needs the concept it starts from: give it with --lora")
    } else {
      let start = ConceptStart(setup: setup, model: base, seed: seed)
      base.adapters = try AdapterSet([(try start.adapter(), AdapterStrength())], base)
      model = base
    }
    let asked = request.steps ?? (request.config == nil ? Self.defaultSteps : nil)
    let total = (replay?.scheduledSteps ?? asked).map(Double.init) ?? setup.steps
    steps = min(
      request.steps ?? Int(total.rounded(.up)), replay?.stepCount ?? .max)
    try CommandError.check("steps", steps, in: 1...Self.mostSteps)
    if let interval = request.previewInterval, interval < 1 {
      throw CommandError.usage("--preview-every \(interval): expected at least 1")
    }
    schedule = LearningRateSchedule(
      replay?.schedule ?? request.rateShape, warmUp: request.warmUp, total: total)
    optimiser = AdamW(beta1: setup.optimiser.beta1, beta2: setup.optimiser.beta2)
    self.setup = setup
  }

  /// More steps than any run takes; numbers that follow from them stay far from overflowing.
  private static let mostSteps = 10_000_000

  /// Refuses numbers whose products would be of no use, before anything is made of them.
  private static func checkNumbers(_ request: TrainRequest) throws {
    for (option, value, most) in [
      ("steps", request.steps, mostSteps), ("rank", request.rank, 4096),
      ("batch-size", request.batchSize, 1024), ("gradient-accumulation", request.accumulation, 4096),
      ("resolution", request.resolution, 8192), ("variants", request.variants, 4096),
      ("save-every", request.saveInterval, mostSteps),
    ] {
      if let value { try CommandError.check(option, value, in: 1...most) }
    }
  }

  /// Steps of a run from flags that do not say how many.
  private static let defaultSteps = 300

  private static func read(_ request: TrainRequest, size: Int) throws -> TrainingSetup {
    if let config = request.config {
      for (flag, value) in [("--data", request.data), ("--concept", request.concept)] {
        if value != nil { throw CommandError.usage("\(flag) and --config exclude each other") }
      }
      return try TrainingSetup.read(URL(fileURLWithPath: config))
    }
    guard let data = request.data else {
      throw CommandError.usage("say what to learn from: --data DIR, or --config FILE")
    }
    guard let concept = request.concept else {
      throw CommandError.usage("say which words to teach: --concept '<a1> <a2>'")
    }
    var folder = FolderSetup(
      folder: URL(fileURLWithPath: data), concept: concept, start: request.start)
    folder.size = size
    folder.captions = request.captions.map { URL(fileURLWithPath: $0) }
    folder.masks = request.masks.map { URL(fileURLWithPath: $0) }
    // A folder may hold `images`, `captions` and `masks` side by side.
    let images = folder.folder.appending(path: "images")
    if Self.isFolder(images) {
      for (part, path) in [("captions", \FolderSetup.captions), ("masks", \FolderSetup.masks)] {
        let url = folder.folder.appending(path: part)
        if folder[keyPath: path] == nil, Self.isFolder(url) { folder[keyPath: path] = url }
      }
      folder.folder = images
    }
    var setup = try folder.read()
    let steps = request.steps ?? Self.defaultSteps
    setup.dataset.batchSize = 1
    let batch = (request.batchSize ?? 1) * (request.accumulation ?? 1)
    setup.dataset.enlargeRatio =
      (steps * batch + setup.dataset.images.count - 1) / max(1, setup.dataset.images.count)
    return setup
  }

  private static func isFolder(_ url: URL) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
      && isFolder.boolValue
  }

  private static func apply(_ request: TrainRequest, to setup: inout TrainingSetup) {
    if let value = request.batchSize { setup.dataset.batchSize = value }
    if let value = request.accumulation { setup.gradientAccumulation = value }
    if let value = request.isLayerwise { setup.model.isLayerwise = value }
    if let value = request.seed { setup.seed = value }
    if let value = request.noiseOffset { setup.model.noiseOffset = value == 0 ? nil : value }
    if let value = request.attentionWeight { setup.model.attentionWeight = value == 0 ? nil : value }
    if let value = request.usesMaskLoss { setup.model.usesMaskLoss = value }
    if let value = request.embeddingNormThreshold {
      setup.optimiser.embeddingNormThreshold = value
    }
    if let value = request.embeddingRate { setup.model.embedding?.learningRate = value }
    if let value = request.textEncoderRate { setup.model.textEncoder?.learningRate = value }
    if let value = request.unetRate { setup.model.unet?.learningRate = value }
    for path in [\ModelSettings.textEncoder, \ModelSettings.unet] {
      if let value = request.rank { setup.model[keyPath: path]?.rank = value }
      if let value = request.alpha { setup.model[keyPath: path]?.alpha = value }
    }
    if let value = request.saveInterval { setup.saveInterval = value }
  }

  /// Refuses data and words that would stop the run later, all problems at once.
  private static func check(_ setup: TrainingSetup, _ model: DiffusersModel) throws {
    let tokenizer = try CLIPTokenizer(folder: model.tokenizerFolder)
    let problems =
      TrainedWord.problems(setup.model.words, tokenizer, path: "the concept") + setup.problems()
    if !problems.isEmpty { throw DatasetError(problems) }
    for (flag, value) in [
      ("batch size", setup.dataset.batchSize), ("gradient accumulation", setup.gradientAccumulation),
    ] where value < 1 {
      throw CommandError.usage("the \(flag) is \(value), expected at least 1")
    }
  }

  /// A file beside the output.
  package func companion(_ suffix: String) -> URL {
    let name = output.url.deletingPathExtension().lastPathComponent
    return output.url.deletingLastPathComponent().appending(path: name + suffix)
  }
}
