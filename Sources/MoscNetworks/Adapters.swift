import Foundation
import MoscDiffusion
import MoscFormats
import MoscModel
import MoscReport

/// An adapter file and its strengths, as `--lora FILE[:te[:unet]][:lbw=…]` names them.
package struct AdapterRequest: Hashable, Codable, Sendable {
  package var path: String
  package var textEncoder: Float = 1
  package var unet: Float = 1
  /// What multiplies the strengths block by block.
  package var blocks: BlockWeights?
  /// The word by which prompts name an embedding; nil for what the file says.
  package var word: String?

  package init(path: String, textEncoder: Float = 1, unet: Float = 1) {
    self.path = path
    self.textEncoder = textEncoder
    self.unet = unet
  }

  /// Reads `FILE`, `FILE:strength` or `FILE:text:unet`, with `:lbw=…` behind it; nil for what is neither.
  ///
  /// Trailing fields that are numbers are strengths, so a path may hold colons.
  package init?(spelling: String) {
    var fields = spelling.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    var blocks: BlockWeights?
    if fields.count > 1, let last = fields.last, last.hasPrefix("lbw=") {
      guard let read = try? BlockWeights(String(last.dropFirst(4))) else { return nil }
      blocks = read
      fields.removeLast()
    }
    var strengths: [Float] = []
    while fields.count > 1, strengths.count < 2, let last = fields.last, let value = Float(last),
      value.isFinite
    {
      strengths.insert(value, at: 0)
      fields.removeLast()
    }
    let path = fields.joined(separator: ":")
    if path.isEmpty || path.hasSuffix(":") { return nil }
    self.init(
      path: path, textEncoder: strengths.first ?? 1, unet: strengths.last ?? 1)
    self.blocks = blocks
  }
}

extension AdapterRequest {
  /// How strongly the file changes each layer.
  package var strength: AdapterStrength {
    AdapterStrength(textEncoder: textEncoder, unet: unet, blocks: blocks)
  }
}

/// What changes the model: adapters, and how they are applied.
package struct AdapterOptions: Hashable, Codable, Sendable {
  /// How adapters enter the computation.
  package enum Mode: String, CaseIterable, Hashable, Codable, Sendable {
    /// Merged into the weights when they are loaded: steps cost nothing more.
    case fold
    /// Beside the layers, as low-rank branches of every step.
    case runtime
  }

  package var files: [AdapterRequest] = []
  /// Where `<lora:name:…>` in prompts looks.
  package var folder: String?
  /// Where the bare names of embeddings in prompts are looked for.
  package var embeddingFolder: String?
  package var mode = Mode.fold
  /// Whether tensors without a place are counted rather than refused.
  package var allowsUnmatched = false

  package init() {}
}

extension ModelComponents {
  /// The model of the options, with their adapters.
  ///
  /// - Parameters:
  ///   - tags: further adapters that prompts name.
  ///   - texts: the prompts, which may name embeddings.
  ///   - regions: the adapters of each region.
  ///   - keeper: what has it open maybe.
  /// - Throws: what is wrong with a file; a strictness error for tensors without a place.
  package static func open(
    _ options: ModelOptions, tags: [LoraTag] = [], texts: [String] = [],
    regions: [[AdapterRequest]] = [], keeper: ModelKeeper? = nil
  ) throws -> DiffusersModel {
    let global =
      try options.adapters.files + tags.map { try AdapterFiles.find($0, in: options.adapters.folder) }
      + EmbeddingFolder.requests(options.adapters.embeddingFolder, for: texts)
    guard let keeper else { return try open(options, global, regions) }
    return try keeper.model(options, global, regions) { try open(options, global, regions) }
  }

  private static func open(
    _ options: ModelOptions, _ global: [AdapterRequest], _ regions: [[AdapterRequest]]
  ) throws -> DiffusersModel {
    var model = try open(options.path, vae: options.autoencoder)
    if let taesd = options.taesd { try refuseLarge(model, taesd) }
    let regional = try RegionalRequest(regions, global: global)
    let requests = global + regional.files
    if requests.isEmpty { return model }
    var files: [(AdapterFile, AdapterStrength)] = []
    for request in requests {
      var file = try AdapterFile(URL(fileURLWithPath: request.path))
      if let word = request.word { file.rename(word: word) }
      files.append(
        (file, request.strength))
    }
    let set = try AdapterSet(files, model)
    if !options.adapters.allowsUnmatched {
      for (adapter, request) in zip(set.adapters, requests) {
        guard let first = adapter.unmatched.first else { continue }
        let shown = adapter.unmatched.prefix(10).map { "\n  '\($0.name)': \($0.reason)" }.joined()
        let rest = adapter.unmatched.count > 10 ? "\n  and \(adapter.unmatched.count - 10) more" : ""
        throw CommandError(
          .strictness,
          "\(request.path): \(adapter.unmatched.count) tensors found no place in the model, the "
            + "first is '\(first.name)'; --allow-unmatched leaves them out:\(shown)\(rest)")
      }
    }
    model.adapters = set.keeping(Array(global.indices))
    if !regional.files.isEmpty {
      model.regional = try RegionalAdapters(set, global: global.count, carried: regional.carried)
    }
    return model
  }
}

extension ModelComponents {
  /// Refuses any autoencoder but a tiny one.
  private static func refuseLarge(_ model: DiffusersModel, _ path: String) throws {
    if try model.vae().config.tiny != nil { return }
    throw FormatError(
      path, nil, "is an autoencoder, but no tiny one (TAESD); give it with --vae")
  }
}

extension Reporter {
  /// Says what adapters were applied to, and what of the model's configuration has no meaning here.
  package func report(_ model: DiffusersModel) throws {
    report(model.adapters)
    for adapter in model.regional?.adapters ?? [] { report(adapter) }
    let keys = try model.ignoredKeys().map { "\($0.component.rawValue): \($0.keys.joined(separator: ", "))" }
    guard !keys.isEmpty else { return }
    warn(
      "the model's configuration has keys without meaning here, \(keys.joined(separator: "; ")): "
        + "the pictures may not be those of other programs")
  }

  /// Says which words of prompts the model was not trained on, where it knows.
  package func reportUnknownWords(_ prompts: some Sequence<String>, _ model: DiffusersModel) throws {
    guard let learnt = try model.learntWords() else { return }
    let own = try model.words().map(\.text)
    var unknown: [String] = []
    for prompt in prompts.sorted() {
      let rest = own.reduce(prompt) { $0.replacing($1, with: " ") }
      for word in learnt.unknown(in: rest) where !unknown.contains(word) { unknown.append(word) }
    }
    guard let first = unknown.first, let things = learnt.groups.first else { return }
    let more = unknown.dropFirst().prefix(9).map { ", '\($0)'" }.joined()
    warn(
      "the model never learnt '\(first)'\(more)\(unknown.count > 10 ? ", …" : ""), and draws anything for it; "
        + "of \(things.name) it knows \(things.words.joined(separator: ", "))",
      kind: "unknown words")
  }

  private func report(_ adapter: AdapterSet.Adapter) {
    info(adapter.summary)
    if !adapter.unmatched.isEmpty {
      warn("\(adapter.name): \(adapter.unmatched.count) tensors found no place and are left out")
    }
  }

  /// Says what adapters were applied to.
  private func report(_ adapters: AdapterSet) {
    for adapter in adapters.adapters { report(adapter) }
    if !adapters.words.isEmpty {
      detail("concept words: \(adapters.words.map(\.text).joined(separator: ", "))")
    }
  }
}
