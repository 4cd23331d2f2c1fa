import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscIR
import MoscImages
import MoscModel
import MoscNetworks
import MoscPrompts
import MoscRandom
import MoscReport

/// Writes pictures with the texts that other programs read their settings from.
package struct PictureWriter {
  private let plan: SamplePlan
  private let target: CompilationTarget
  private var modelHash: String?
  private var vaeHash: String?
  /// The hashes of adapters and of embeddings, as the web UI lists them.
  private var adapterHashes: [GenerationParameters.Setting] = []
  /// The adapters of the command line, as they can be found again.
  private var adapters: [JSONValue] = []
  /// The picture that others are made from.
  private var pictureFields: JSONValue?
  /// Those of regions, each once; what a region carries is in its own object.
  private var regionAdapters: [JSONValue] = []
  /// What pictures call the model that ships with the program.
  static let embeddedModel = "mosc-base"

  package init(_ plan: SamplePlan, _ target: CompilationTarget) throws {
    self.plan = plan
    self.target = target
    let request = plan.request
    // For all pictures at once: the first time, a large model takes seconds to hash.
    guard request.writesMetadata else { return }
    if request.model.path != nil { modelHash = try PictureHashes.model(plan.model, request.compiler) }
    vaeHash = try request.model.autoencoder.flatMap { try PictureHashes.file($0, request.compiler) }
    adapterHashes = try Self.hashes(plan.model.adapters.adapters + (plan.model.regional?.adapters ?? []))
    adapters = try request.model.adapters.files.map(Self.adapter)
    pictureFields = try request.picture.json(width: request.width, height: request.height)
    var seen: Set<String> = []
    regionAdapters = try plan.regionAdapters.joined().filter { seen.insert($0.path).inserted }.map(Self.adapter)
  }

  /// Writes a picture with its settings, whole or not at all.
  ///
  /// - Returns: where it is.
  package func write(
    _ image: PixelImage, _ picture: SamplePlan.Picture, to file: OutputFile
  ) throws -> OutputFile {
    guard plan.request.writesMetadata else { return try file.put(image, texts: []) }
    return try file.put(
      image,
      texts: [
        ("parameters", parameters(picture).text), ("mosc", try configuration(picture).description),
      ])
  }

  /// The settings as the A1111 web UI spells them.
  package func parameters(_ picture: SamplePlan.Picture) -> GenerationParameters {
    let request = plan.request
    var settings: [GenerationParameters.Setting] = [
      .init("Steps", "\(request.steps)"), .init("Sampler", plan.sampler.rawValue),
    ]
    if request.sigmas == nil, let title = plan.schedulerConfig.levels.title {
      settings.append(.init("Schedule type", title))
    }
    settings += [
      .init("CFG scale", GenerationParameters.number(plan.guidance)),
      .init("Seed", "\(picture.seed)"), .init("Size", "\(plan.width)x\(plan.height)"),
    ]
    if let hash = modelHash { settings.append(.init("Model hash", String(hash.prefix(10)))) }
    settings.append(.init("Model", modelName))
    if let vae = request.model.autoencoder {
      if let hash = vaeHash { settings.append(.init("VAE hash", String(hash.prefix(10)))) }
      settings.append(.init("VAE", URL(fileURLWithPath: vae).lastPathComponent))
    }
    settings += request.variation.settings(picture)
    if let begun = plan.picture { settings += request.picture.settings(begun) }
    if request.clipSkip > 1 { settings.append(.init("Clip skip", "\(request.clipSkip)")) }
    settings += emphasis(picture)
    settings += request.hires.settings
    // The web UI knows one direction of both only.
    if request.seamless == .both { settings.append(.init("Tiling", "True")) }
    settings.append(.init("RNG", request.randomSource.title))
    let division = request.regions.division(of: picture)
    settings += adapterHashes + request.control.settings + (division?.settings ?? [])
    settings.append(.init("Version", "mosc \(Version.number)"))
    return GenerationParameters(
      prompt: division?.prompt ?? picture.prompt, negativePrompt: division?.negative ?? picture.negative,
      settings: settings)
  }

  /// The hashes of adapters and of embeddings, as the web UI lists them.
  private static func hashes(_ adapters: [AdapterSet.Adapter]) throws -> [GenerationParameters.Setting] {
    var lists: [(title: String, entries: [String])] = [("Lora hashes", []), ("TI hashes", [])]
    for adapter in adapters {
      let url = URL(fileURLWithPath: adapter.declaration.path)
      // Some adapters are folders, for which there is no such hash.
      guard PictureHashes.isFile(url) else { continue }
      let isEmbedding = adapter.total == 0
      let hash = try isEmbedding ? FileHash.sha256(of: url) : PictureHashes.adapter(url)
      lists[isEmbedding ? 1 : 0].entries.append("\(adapter.name): \(hash.prefix(12))")
    }
    return lists.filter { !$0.entries.isEmpty }
      .map { .init($0.title, $0.entries.joined(separator: ", ")) }
  }

  /// What weights in the prompts did, if there are any; A1111's reader takes *Original* for granted.
  private func emphasis(_ picture: SamplePlan.Picture) -> [GenerationParameters.Setting] {
    let emphasis = plan.request.promptSettings.emphasis
    let texts = [picture.text, picture.negative]
    guard plan.request.syntax == .a1111, emphasis != .original,
      texts.contains(where: { $0.contains { "([".contains($0) } })
    else { return [] }
    return [.init("Emphasis", emphasis.title)]
  }

  /// Everything needed to draw the picture again.
  package func configuration(_ picture: SamplePlan.Picture) throws -> JSONValue {
    let request = plan.request
    var fields: [(String, JSONValue)] = [
      ("version", .string(Version.number)), ("model", .string(modelName)),
      ("prompt", .string(picture.prompt)), ("negative_prompt", .string(picture.negative)),
      ("steps", .int(request.steps)), ("sampler", .string(plan.sampler.rawValue)),
      ("scheduler", .string(plan.schedulerConfig.levels.rawValue)),
      ("cfg_scale", .double(plan.guidance)), ("seed", .string("\(picture.seed)")),
      ("width", .int(plan.width)), ("height", .int(plan.height)),
      ("clip_skip", .int(request.clipSkip)), ("rng", .string(request.randomSource.rawValue)),
      ("type", .string(target.precision.rawValue)), ("cpu", .string(target.cpu)),
    ]
    if let hash = modelHash { fields.append(("model_hash", .string(hash))) }
    if let sigmas = request.sigmas { fields.append(("sigmas", .array(sigmas.map(JSONValue.double)))) }
    if let eta = request.eta { fields.append(("eta", .double(eta))) }
    if let spacing = request.timestepSpacing ?? request.sampler.spacing { fields.append(("timestep_spacing", .string(spacing.rawValue))) }
    if let prediction = request.prediction { fields.append(("prediction_type", .string(prediction.rawValue))) }
    if request.hasZeroTerminalSNR { fields.append(("zero_terminal_snr", .bool(true))) }
    fields += request.fewSteps.fields
    if let vae = request.model.autoencoder {
      fields.append(("vae", .string(URL(fileURLWithPath: vae).lastPathComponent)))
    }
    if let picture = pictureFields { fields.append(("picture", picture)) }
    if request.variation.isOn {
      fields.append(("subseed", .string("\(picture.variationSeed)")))
      fields.append(("subseed_strength", .double(request.variation.strength)))
    }
    if request.latentsIn != nil { fields.append(("latents_in", .bool(true))) }
    if !adapters.isEmpty {
      fields.append(("adapters", .array(adapters)))
    }
    if !plan.regions.isEmpty {
      let regions = plan.picture?.regions ?? plan.regions
      let items = try regions.indices.map { index in
        try region(regions[index], picture.regions[index], plan.regionAdapters[index])
      }
      fields.append(("regions", .array(items)))
    }
    if !regionAdapters.isEmpty {
      fields.append(("region_adapters", .array(regionAdapters)))
    }
    if !request.conditions.isEmpty {
      fields.append(("t2i", .array(request.conditions.map(condition))))
    }
    if !request.control.nets.isEmpty { fields.append(("control", request.control.json)) }
    fields.append(("prompt_syntax", .string(request.syntax.rawValue)))
    if request.syntax == .a1111 {
      fields.append(("emphasis", .string(request.promptSettings.emphasis.rawValue)))
    }
    if request.promptSettings.commaBacktrack != PromptSettings().commaBacktrack {
      fields.append(("comma_backtrack", .int(request.promptSettings.commaBacktrack)))
    }
    if request.promptSettings.usesOldTiming { fields.append(("old_prompt_timing", .bool(true))) }
    if let seamless = request.seamless { fields.append(("seamless", .string(seamless.rawValue))) }
    fields += tiling
    if let hires = try request.hires.json() { fields.append(("hires", hires)) }
    if request.regions.overlap != .average {
      fields.append(("region_overlap", .string(request.regions.overlap.rawValue)))
    }
    if request.matchesMixOfShow { fields.append(("compat", .string("mix-of-show"))) }
    return .fields(fields)
  }

  /// The tiles of the autoencoder, where they are not the usual.
  private var tiling: [(String, JSONValue)] {
    guard request.tiling != TilingOptions() else { return [] }
    return [
      ("vae_tiling", .string(request.tiling.mode.rawValue)),
      ("vae_tile_size", .int(request.tiling.tileSize)),
    ]
  }

  private static func adapter(_ request: AdapterRequest) throws -> JSONValue {
    let url = URL(fileURLWithPath: request.path)
    let hash = PictureHashes.isFile(url) ? [("sha256", JSONValue.string(try FileHash.sha256(of: url)))] : []
    let blocks = request.blocks.map { [("lbw", JSONValue.string($0.text))] } ?? []
    return .fields(hash + blocks + [
      ("name", .string(url.deletingPathExtension().lastPathComponent)),
      ("text_encoder", .double(Double(request.textEncoder))),
      ("unet", .double(Double(request.unet))),
    ])
  }

  private func condition(_ condition: SpatialCondition) -> JSONValue {
    func name(_ path: String) -> JSONValue {
      .string(URL(fileURLWithPath: path).lastPathComponent)
    }
    return .fields([
      ("adapter", name(condition.adapter)), ("image", .string(PictureText(condition.image, "--t2i-image").title)),
      ("strength", .double(condition.strength)),
    ])
  }

  private func region(
    _ region: Region, _ prompts: SamplePlan.RegionPrompts, _ adapters: [AdapterRequest]
  ) throws -> JSONValue {
    var fields: [(String, JSONValue)] = [
      ("name", .string(region.name)), ("prompt", .string(prompts.prompt)),
      ("negative", .string(prompts.negative)),
      ("weight", .double(region.weight)),
      ("steps", .string("\(region.steps.lowerBound)-\(region.steps.upperBound)")),
    ]
    if let strength = region.strength { fields.append(("strength", .double(strength))) }
    if !adapters.isEmpty {
      let texts = adapters.map { adapter in
        let name = URL(fileURLWithPath: adapter.path).deletingPathExtension().lastPathComponent
        return JSONValue.string("\(name):\(adapter.textEncoder):\(adapter.unet)")
      }
      fields.append(("lora", .array(texts)))
    }
    if region.base != 0 { fields.append(("base", .double(region.base))) }
    if region.isBackground { fields.append(("background", .bool(true))) }
    if let guidance = region.guidance { fields.append(("guidance", .double(guidance))) }
    if let seed = region.seed { fields.append(("seed", .string("\(seed)"))) }
    if region.feather != 0 { fields.append(("feather", .double(region.feather))) }
    if let mask = region.mask { fields.append(("mask", .string(try RegionOptions.text(mask)))) }
    if !region.adapterStrengths.isEmpty {
      fields.append(("t2i", .array(region.adapterStrengths.map { .double($0) })))
    }
    if let box = region.box {
      let numbers = [box.left, box.top, box.right, box.bottom]
      fields.append(("box", .array(numbers.map { .double($0) })))
    }
    return .fields(fields)
  }

  /// The model's folder name, without the path to it.
  private var modelName: String {
    request.model.path.map { URL(fileURLWithPath: $0).standardizedFileURL.lastPathComponent }
      ?? Self.embeddedModel
  }

  private var request: SampleRequest { plan.request }
}
