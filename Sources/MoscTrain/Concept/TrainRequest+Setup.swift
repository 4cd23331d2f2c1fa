import Foundation
import MoscDiffusion
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

/// From what was asked for to what is trained on what.
extension TrainRequest {
  /// Where the settings and pictures come from.
  enum Source {
    /// A configuration that says everything, as Mix-of-Show's do.
    case complete(URL)
    /// A list of pictures, as kohya's dataset configurations are.
    case pictures(URL)
    case folder(URL)
  }

  /// - Throws: `CommandError.usage` for options that nothing would read.
  func source() throws -> Source {
    guard let config else {
      guard let data else {
        throw CommandError.usage("say what to learn from: --data DIR, or --config FILE")
      }
      return .folder(URL(fileURLWithPath: data))
    }
    let url = URL(fileURLWithPath: config)
    let isComplete = ["yml", "yaml", "json"].contains(url.pathExtension.lowercased())
    for (flag, isGiven, isRead) in [
      ("--data", data != nil, false), ("--captions", captions != nil, false),
      ("--masks", masks != nil, false), ("--concept", concept != nil, !isComplete),
      ("--init", start != nil, !isComplete), ("--resolution", resolution != nil, !isComplete),
    ] where isGiven && !isRead {
      throw CommandError.usage("\(flag) and --config exclude each other: '\(config)' says it")
    }
    return isComplete ? .complete(url) : .pictures(url)
  }

  /// The settings, with the pictures they name.
  ///
  /// - Parameters:
  ///   - size: the side of pictures where nothing says it.
  ///   - words: the words of the file that training goes on from; nil without one.
  func setup(size: Int, words: [String]?, _ defaults: ModelDefaults) throws -> TrainingSetup {
    var setup: TrainingSetup
    switch try source() {
    case .complete(let url):
      setup = try TrainingSetup.read(url)
      if let words, words != setup.model.words.map(\.text) { throw Self.otherWords(words) }
      return setup
    case .pictures(let url):
      setup = try TrainingSetup.read(url, resolution: size)
      if words == nil, concept == nil {
        guard start == nil else { throw CommandError.usage("--init needs the words that start from it: --concept") }
        setup.warnings.append(
          "no words are taught, the captions are learnt as they are; --concept '<a1> <a2>' teaches some")
      } else {
        setup.model.words = try trainedWords(words)
        setup.captionsNameTheWords()
      }
    case .folder(let url):
      setup = try folder(url, size: size, words).read()
      // The same picture twice in a step teaches nothing more.
      setup.dataset.batchSize = min(defaults.training.batchSize, max(1, setup.dataset.images.count))
    }
    if setup.classes.count > 1 {
      let classes = setup.classes.sorted().map { "'\($0)'" }.joined(separator: ", ")
      throw CommandError.failure(
        "the pictures are of \(setup.classes.count) things, \(classes), but a run teaches one: train each "
          + "by itself with words of its own, then put them together with 'mosc fuse'")
    }
    setup.use(defaults)
    return setup
  }

  /// The words and what they start from.
  private func trainedWords(_ given: [String]?) throws -> [TrainedWord] {
    try TrainedWord.parse(
      words: try spelledWords(given), starts: FolderSetup.completeStart(start, words: concept ?? ""),
      path: "--concept")
  }

  /// The words as the command line, or the file that training goes on from, spells them.
  private func spelledWords(_ given: [String]?) throws -> String {
    if let given {
      let own = concept?.split { $0 == "+" || $0.isWhitespace }.map(String.init)
      if let own, own != given { throw Self.otherWords(given) }
      if start != nil {
        throw CommandError.usage("--init and --lora exclude each other: training goes on from the file")
      }
      return given.joined(separator: " ")
    }
    guard let concept else {
      throw CommandError.usage("say which words to teach: --concept '<a1> <a2>'")
    }
    return concept
  }

  private static func otherWords(_ words: [String]) -> CommandError {
    .usage(
      "--lora: the file that training goes on from teaches '\(words.joined(separator: " "))', not "
        + "the words that are asked for")
  }

  private func folder(_ url: URL, size: Int, _ words: [String]?) throws -> FolderSetup {
    var folder = FolderSetup(folder: url, concept: try spelledWords(words), start: start)
    folder.size = size
    folder.captions = captions.map { URL(fileURLWithPath: $0) }
    folder.masks = masks.map { URL(fileURLWithPath: $0) }
    // A folder may hold `images`, `captions` and `masks` side by side.
    let images = folder.folder.appending(path: "images")
    if Self.isFolder(images) {
      for (part, path) in [("captions", \FolderSetup.captions), ("masks", \FolderSetup.masks)] {
        let url = folder.folder.appending(path: part)
        if folder[keyPath: path] == nil, Self.isFolder(url) { folder[keyPath: path] = url }
      }
      folder.folder = images
    }
    return folder
  }

  private static func isFolder(_ url: URL) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
      && isFolder.boolValue
  }

  /// Replaces settings by those that were asked for.
  func apply(to setup: inout TrainingSetup) {
    if let value = batchSize { setup.dataset.batchSize = value }
    if let value = accumulation { setup.gradientAccumulation = value }
    if let value = isLayerwise { setup.model.isLayerwise = value }
    if let value = seed { setup.seed = value }
    if let value = noiseOffset { setup.model.noiseOffset = value == 0 ? nil : value }
    if let value = attentionWeight { setup.model.attentionWeight = value == 0 ? nil : value }
    if let value = usesMaskLoss { setup.model.usesMaskLoss = value }
    if let value = embeddingNormThreshold { setup.optimiser.embeddingNormThreshold = value }
    if let value = embeddingRate { setup.model.embedding?.learningRate = value }
    if let value = textEncoderRate ?? learningRate { setup.model.textEncoder?.learningRate = value }
    if let value = unetRate ?? learningRate { setup.model.unet?.learningRate = value }
    for path in [\ModelSettings.textEncoder, \ModelSettings.unet] {
      if let value = layers { setup.model[keyPath: path]?.layers = value }
      if let value = rank { setup.model[keyPath: path]?.rank = value }
      if let value = alpha { setup.model[keyPath: path]?.alpha = value }
      if let value = networkAlpha, let rank = setup.model[keyPath: path]?.rank {
        setup.model[keyPath: path]?.alpha = value / Double(rank)
      }
    }
    if let value = keepInterval { setup.saveInterval = value }
  }
}

extension TrainingSetup {
  /// Takes the settings that suit a model.
  fileprivate mutating func use(_ defaults: ModelDefaults) {
    let training = defaults.training
    model.embedding?.learningRate = training.embeddingRate
    model.textEncoder?.learningRate = training.textEncoderRate
    model.unet?.learningRate = training.unetRate
    model.textEncoder?.rank = training.rank
    model.unet?.rank = training.rank
    model.textEncoder?.layers = training.layers
    model.unet?.layers = training.layers
    model.noiseOffset = 0.01
    // A loss inside the mask alone does not teach the outline.
    model.usesMaskLoss = false
    // The regulariser pulls attention into masks: without any it has nothing to say.
    let hasMasks = dataset.images.contains { $0.mask != nil }
    model.attentionWeight =
      hasMasks && training.attentionWeight > 0 ? training.attentionWeight : nil
    optimiser.embeddingNormThreshold = training.embeddingNorm
    validation.guidance = defaults.guidance
  }
}
