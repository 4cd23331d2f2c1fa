import Foundation
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscNetworks
import MoscReport
import MoscSample
import MoscTrain

/// A fusion, checked before any heavy work.
struct FusionPlan {
  let base: DiffusersModel
  let concepts: FusionConcepts
  let layers: FusionLayers
  let settings: StatisticsCollector.Settings
  /// Initial latents of the concepts' pictures; empty for random ones.
  let latents: [HostArray]
  /// Where statistics are.
  let folder: StatisticsFolder?
  /// The training of what is solved; no steps for none.
  let refinement: DistillationSettings
  /// Prompts of no concept for refining; empty where nothing is refined.
  let priorPrompts: [String]
  /// The base model's fingerprint.
  let fingerprint: String
  private let request: FuseRequest
  private let isTemporary: Bool

  /// The concepts in order.
  var list: [FusionConcept] { concepts.list }

  /// - Parameters:
  ///   - place: where statistics go that nobody asked to keep.
  ///   - given: the concepts, as another process read them; nil for those of the request.
  init(
    _ request: FuseRequest, _ base: DiffusersModel, scratch place: String, given: [FusionConcept]? = nil
  ) throws {
    self.request = request
    self.base = base
    fingerprint = try base.fingerprint()
    isTemporary = request.statistics == nil
    let place = given == nil ? request.statistics ?? place : place
    let folder = request.method == .solve ? StatisticsFolder(URL(fileURLWithPath: place)) : nil
    self.folder = folder
    var concepts = FusionConcepts(
      base, allowsUnmatched: request.model.adapters.allowsUnmatched)
    if let given {
      for concept in given { try concepts.add(concept) }
    } else if request.inputs.isEmpty, let folder {
      for concept in try folder.concepts(of: fingerprint) { try concepts.add(concept) }
      for name in request.removed { try concepts.remove(name) }
      for change in request.reweighed { try concepts.reweigh(change) }
      for input in request.added { try concepts.add(input) }
    } else {
      for input in request.inputs { try concepts.add(input) }
    }
    guard !concepts.list.isEmpty else {
      throw CommandError.usage("no concept is left to fuse")
    }
    self.concepts = concepts
    layers = try FusionLayers(concepts.list, base)
    let vae = try base.vae().config
    let side = try request.size ?? base.trainedSize()
    guard side % vae.downsampling == 0 else {
      throw CommandError.usage("--size \(side): expected a multiple of \(vae.downsampling)")
    }
    let prompts = try Self.prompts(request, base)
    priorPrompts = prompts.prior
    settings = StatisticsCollector.Settings(
      latentSize: side / vae.downsampling, steps: request.steps, seed: request.seed,
      matchesMixOfShow: request.matchesMixOfShow, prompts: prompts.ofConcepts)
    refinement = try Self.refinement(
      request, base, models: concepts.list.count + (prompts.prior.isEmpty ? 0 : 1))
    latents = try Self.latents(
      request.latentsIn, concepts.list.count,
      [1, vae.latentChannels, settings.latentSize, settings.latentSize])
    try folder?.prepare(for: fingerprint)
  }

  /// The prompts besides those of the reference.
  private static func prompts(_ request: FuseRequest, _ base: DiffusersModel) throws -> FusionPrompts {
    if request.matchesMixOfShow || request.method != .solve { return FusionPrompts() }
    let usual = try ModelDefaults(of: base).fusion
    let isRefined = (request.refineSteps ?? usual.refineSteps) > 0
    guard let path = request.prompts else {
      var prompts = usual.prompts
      if !isRefined { prompts.prior = [] }
      return prompts
    }
    let lines = try TextFile.read(path).textLines.map { $0.trimmingCharacters(in: .whitespaces) }
    let prompts = try FusionPrompts(lines) { FormatError(path, "line \($0 + 1)", $1) }
    if !isRefined, let first = prompts.prior.first, let index = lines.firstIndex(of: first) {
      throw FormatError(
        path, "line \(index + 1)",
        "'\(first)' has no \(ConceptPlaceholder.text), which stands for the words of a concept; only refining (--refine) has use for it")
    }
    return prompts
  }

  private static func refinement(
    _ request: FuseRequest, _ base: DiffusersModel, models: Int
  ) throws -> DistillationSettings {
    let usual = try ModelDefaults(of: base).fusion
    let isUsual = !request.matchesMixOfShow && request.method == .solve
    var settings = DistillationSettings(
      steps: models * (request.refineSteps ?? (isUsual ? usual.refineSteps : 0)),
      rate: request.refineRate ?? usual.refineRate)
    if let rate = request.refineRate, settings.steps == 0 {
      throw CommandError.usage("--refine-lr \(rate): nothing is refined here; --refine STEPS does")
    }
    settings.seed = request.seed
    return settings
  }

  private static func latents(
    _ path: String?, _ count: Int, _ shape: [Int]
  ) throws -> [HostArray] {
    guard let path else { return [] }
    return try (0..<count).map { index in
      let value = try TensorFile.read(path, "init_latents.\(index)")
      guard value.shape == shape else {
        throw FormatError(
          path, "tensor \"init_latents.\(index)\"",
          "has shape \(value.shape), expected \(shape)")
      }
      if let bad = value.floats.first(where: { !$0.isFinite }) {
        throw FormatError(
          path, "tensor \"init_latents.\(index)\"", "holds \(bad), expected numbers")
      }
      return value
    }
  }

  /// Everything that the statistics of a concept and stage depend on.
  ///
  /// - Parameter context: what else they depend on when stages follow each other.
  func key(
    _ concept: FusionConcept, _ stage: FusionLayer.Stage, precision: String, context: String = ""
  ) -> String {
    let number = list.firstIndex { $0.name == concept.name } ?? 0
    let initial = latents.isEmpty ? "" : "\(latents[number].floats.hashOfBits)"
    let parts = [
      fingerprint, concept.digest, concept.prompt, stage.rawValue, precision, context, initial,
      "\(concept.measured.textEncoder) \(concept.measured.unet)", settings.prompts.joined(separator: "\n"),
      stage == .spatial
        ? "\(settings.latentSize) \(settings.steps) \(settings.seed) \(settings.matchesMixOfShow)"
        : "",
    ]
    return FileHash.sha256(Data(parts.joined(separator: "\n").utf8))
  }

  /// The base with files that change it.
  func adapted(_ files: [(AdapterFile, AdapterStrength)]) throws -> DiffusersModel {
    var model = base
    model.adapters = try AdapterSet(files, base)
    return model
  }

  /// What every process of several must have alike.
  func shared(_ compiler: Compiler) -> RunSettings {
    RunSettings(
      RunSettings.arithmetic(compiler) + [
        ("the settings", settingsValue), ("OpenBLAS", .string(LinearAlgebra.library)),
        ("--latents-in", .array(latents.map { .string($0.floats.hashOfBits) })),
      ])
  }

  /// Lets go of statistics that nobody asked to keep.
  func finish() {
    folder?.removeRefinement()
    if isTemporary { folder?.remove() }
  }

  /// The settings and concepts as the report has them.
  var settingsValue: JSONValue {
    .object([
      .init("method", .string(request.method.rawValue)),
      .init("solver", .string(request.chosenSolver.rawValue)),
      .init("textenc_iters", .int(request.textIterations)),
      .init("unet_iters", .int(request.unetIterations)),
      .init("latent_size", .int(settings.latentSize)), .init("steps", .int(settings.steps)),
      .init("seed", .int(Int(clamping: settings.seed))),
      .init("prompts", .array(settings.prompts.map(JSONValue.string))),
      .init("prior_prompts", .array(priorPrompts.map(JSONValue.string))),
      .init("refinement_steps", .int(refinement.steps)), .init("refine_lr", .double(refinement.rate)),
      .init("compat", request.matchesMixOfShow ? .string("mix-of-show") : .null),
      .init("base", .string(fingerprint)),
      .init(
        "concepts",
        .array(
          list.map { concept in
            .object([
              .init("name", .string(concept.name)), .init("sha256", .string(concept.digest)),
              .init("text_encoder", .double(Double(concept.strength.textEncoder))),
              .init("unet", .double(Double(concept.strength.unet))),
              .init("words", .array(concept.file.words.map { .string($0.text) })),
            ])
          })),
    ])
  }

  /// The metadata that tells where a fused file comes from.
  var lineage: [String: String] {
    [
      "mosc": JSONValue.object([.init("fusion", settingsValue)]).description,
      "modelspec.merged_from": list.map(\.name).joined(separator: ", "),
    ]
  }
}

extension [Float] {
  /// A hash of the exact numbers.
  fileprivate var hashOfBits: String {
    FileHash.sha256(Data(withUnsafeBytes { Array<UInt8>($0) }))
  }
}
