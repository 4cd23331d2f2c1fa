import Foundation
import MoscDiffusion
import MoscFormats
import MoscModel
import MoscNetworks
import MoscPrompts
import MoscReport

/// What would end a run later is found before it begins.
extension TrainPlan {
  /// More steps than any run takes; numbers that follow from them stay far from overflowing.
  static let mostSteps = 10_000_000

  /// Refuses numbers that mean nothing or whose products would be of no use.
  static func checkNumbers(_ request: TrainRequest) throws {
    for (option, value, range) in [
      ("steps", request.steps, 1...mostSteps), ("epochs", request.epochs, 1...mostSteps),
      ("rank", request.rank, 1...4096), ("batch-size", request.batchSize, 1...1024),
      ("gradient-accumulation", request.accumulation, 1...4096),
      ("resolution", request.resolution, 1...8192), ("variants", request.variants, 1...4096),
      ("save-every", request.saveInterval, 1...mostSteps),
      ("keep-every", request.keepInterval, 1...mostSteps),
      ("preview-every", request.previewInterval, 1...mostSteps),
      ("warm-up", request.warmUp, 0...mostSteps),
    ] {
      if let value { try CommandError.check(option, value, in: range) }
    }
    for (option, value) in [
      ("learning-rate", request.learningRate), ("embedding-lr", request.embeddingRate),
      ("text-encoder-lr", request.textEncoderRate), ("unet-lr", request.unetRate),
      ("noise-offset", request.noiseOffset), ("attention-weight", request.attentionWeight),
    ] {
      try CommandError.check(option, value, atLeast: 0)
    }
    for (option, value) in [("alpha", request.alpha), ("network-alpha", request.networkAlpha)] {
      guard let value, !value.isFinite else { continue }
      throw CommandError.usage("--\(option) \(value): expected a number")
    }
    if request.alpha != nil, request.networkAlpha != nil {
      throw CommandError.usage("--alpha and --network-alpha exclude each other")
    }
    if let value = request.embeddingNormThreshold, !(value >= 0) {
      throw CommandError.usage("--embedding-norm \(value): expected 0 or more")
    }
    if let value = request.averageDecay, !(0..<1).contains(value) {
      throw CommandError.usage("--ema \(value): expected a number from 0 to below 1")
    }
    try LoopPlan.check(saveSeconds: request.saveSeconds)
  }

  /// Refuses U-Nets that take more than a noisy picture, its time and a prompt: losses are of none such.
  static func checkNetwork(_ model: DiffusersModel) throws {
    let config = try model.unet().config
    if config.guidanceWidth != nil {
      throw FormatError(
        model.url.path, "unet",
        "takes guidance as an input (time_cond_proj_dim), as models distilled to few steps do; teach the concept "
          + "with the model it was distilled from, and draw with this one")
    }
    if config.inChannels != config.outChannels {
      throw FormatError(
        model.url.path, "unet",
        "takes \(config.inChannels) channels, as models for inpainting do, expected \(config.outChannels); teach the "
          + "concept with the model it was made from, and draw with this one")
    }
  }

  /// Refuses data and words that would stop the run later, all problems at once.
  static func check(_ setup: inout TrainingSetup, _ model: DiffusersModel) throws {
    let tokenizer = try model.tokenizer()
    let lengths = CaptionLengths(setup.dataset, words: setup.model.words.map(\.text), tokenizer)
    setup.warn(lengths.warning)
    let review = setup.review()
    setup.warnings += review.warnings
    let problems =
      TrainedWord.problems(setup.model.words, tokenizer, path: "the concept") + review.problems
      + lengths.problems
    if !problems.isEmpty { throw DatasetError(problems) }
    for (flag, value) in [
      ("batch size", setup.dataset.batchSize), ("gradient accumulation", setup.gradientAccumulation),
    ] where value < 1 {
      throw CommandError.usage("the \(flag) is \(value), expected at least 1")
    }
  }

  /// Refuses previews that could not be drawn: their words, adapters and places.
  func checkPreviews() throws {
    if let interval = setup.saveInterval, interval <= steps {
      _ = try OutputFile(numbered(interval).path)
    }
    guard let interval = request.previewInterval, interval <= steps else { return }
    _ = try OutputFile(preview(interval).path)
    let tokenizer = try PromptTokenizer(model)
    for prompt in previewPrompts {
      do {
        let (text, networks) = NetworkTag.take(from: prompt)
        let tags = try LoraTag.tags(networks)
        _ = try tokenizer.rows(text)
        if tags.isEmpty { continue }
        var options = request.model
        options.path = model.url.path
        _ = try ModelComponents.open(options, tags: tags)
      } catch {
        throw CommandError(ExitStatus(error), "--preview-prompt '\(prompt)': \(error)")
      }
    }
  }

  /// The picture of previews after some steps.
  func preview(_ step: Int) -> URL { companion(".step-\(step).png") }

  /// Bytes of a concept file with all trained numbers.
  private var conceptBytes: Int {
    let rows: [any WeightSource] = model.adapters.rows.map { [$0.store] } ?? []
    return (model.adapters.adapters.map(\.store) + rows).reduce(0) { sum, store in
      store.names.reduce(sum) { $0 + (store.reserved($1)?.shape.reduce(4, *) ?? 0) }
    }
  }

  /// Refuses a disk that the run would fill.
  func checkDisk() throws {
    let kept = setup.saveInterval.map { (steps - 1) / $0 } ?? 0
    // A state holds parameters and two or three arrays of their size; the one before stays until the new one is
    // whole.
    let states = 2 * conceptBytes * (request.averageDecay == nil ? 3 : 4)
    let lines = steps * 200
    try DiskSpace.check(
      output.url.deletingLastPathComponent(), needs: (kept + 1) * conceptBytes + states + lines,
      for: "the concept, \(kept == 0 ? "" : "\(kept) files before it, ")its state and log")
  }
}
