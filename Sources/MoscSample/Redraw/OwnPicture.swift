import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscPrompts
import MoscRandom

/// The JSON object that mosc writes into a picture: everything that decides its bytes, but for files.
extension PictureSettings {
  /// Reads the object.
  init(mosc text: String, path: String) throws {
    self.init()
    let place = "\(path), text mosc"
    let value = try JSONValue.parse(text.utf8, path: place)
    guard let members = value.members else {
      throw FormatError(place, nil, "expected an object, found \(value.kindName)")
    }
    let object = JSONObject(path: place, members: members)
    func named<Value>(_ key: String, _ read: (String) -> Value?) throws -> Value? {
      guard let text = object[key]?.string else { return nil }
      guard let value = read(text) else { throw object.error(key, "'\(text)' is unknown here") }
      return value
    }
    origin = "mosc \(object["version"]?.string ?? "")"
    request.prompt = try object.string("prompt")
    request.negativePrompt = try object.string("negative_prompt", default: "")
    request.steps = try object.int("steps")
    request.sampler = SamplerName.Choice(try named("sampler", SamplerName.init(rawValue:)) ?? .dpmpp2M)
    request.levels = try named("scheduler", SchedulerConfig.Levels.init(rawValue:))
    if let list = object["sigmas"] {
      let sigmas = list.array?.compactMap(\.double) ?? []
      guard sigmas.count == list.array?.count else {
        throw object.error("sigmas", "expected a list of numbers")
      }
      request.sigmas = sigmas
    }
    if object["eta"] != nil { request.eta = try object.double("eta") }
    request.timestepSpacing = try named("timestep_spacing", SchedulerConfig.Spacing.init(rawValue:))
    request.prediction = try named("prediction_type", SchedulerConfig.Prediction.init(rawValue:))
    request.hasZeroTerminalSNR = try object.bool("zero_terminal_snr", default: false)
    request.guidance = try object.double("cfg_scale")
    guard let seed = UInt64(try object.string("seed")) else { throw object.error("seed", "expected a number") }
    request.seeds = [seed]
    (request.width, request.height) = (try object.int("width"), try object.int("height"))
    if object["subseed"] != nil {
      guard let seed = UInt64(try object.string("subseed")) else { throw object.error("subseed", "expected a number") }
      (request.variation.seed, request.variation.strength) = (seed, try object.double("subseed_strength"))
    }
    if let picture = object["picture"]?.members {
      let fields = JSONObject(path: "\(place), picture", members: picture)
      request.picture = try PictureOptions(fields)
      (request.width, request.height) = (fields["width"]?.int, fields["height"]?.int)
      guard let image = fields["image"] else { throw fields.error("image", "is missing") }
      (source, hasSource) = (try RememberedPicture(image, fields, "image"), true)
      mask = try fields["mask"].map { try RememberedPicture($0, fields, "mask") }
    }
    request.fewSteps = try FewStepOptions(object)
    request.clipSkip = try object.int("clip_skip", default: 1)
    request.randomSource = try named("rng", RandomSourceKind.init(rawValue:)) ?? .cpu
    request.model.precision = try named("type", Precision.init(rawValue:))
    request.promptSettings.syntax = try named("prompt_syntax", PromptSettings.Syntax.init(rawValue:))
    request.promptSettings.emphasis = try named("emphasis", Emphasis.init(rawValue:)) ?? .original
    request.promptSettings.commaBacktrack = try object.int(
      "comma_backtrack", default: request.promptSettings.commaBacktrack)
    request.promptSettings.usesOldTiming = try object.bool("old_prompt_timing", default: false)
    if let members = object["hires"]?.members {
      request.hires = try HiresOptions(JSONObject(path: place, members: members))
    }
    request.seamless = try named("seamless", Seamless.init(rawValue:))
    request.tiling.mode = try named("vae_tiling", TilingOptions.Mode.init(rawValue:)) ?? .auto
    request.tiling.tileSize = try object.int("vae_tile_size", default: TilingOptions.usualTileSize)
    request.matchesMixOfShow = object["compat"]?.string == "mix-of-show"
    request.regions.items = object["regions"]?.array ?? []
    request.regions.overlap =
      try named("region_overlap", RegionCoverage.Overlap.init(rawValue:)) ?? .average
    let name = object["model"]?.string
    model = name == PictureWriter.embeddedModel ? nil : name
    modelHash = object["model_hash"]?.string
    func files(_ key: String) throws -> [Adapter] {
      try (object[key]?.array ?? []).map { item in
        guard let name = item["name"]?.string else { throw object.error(key, "one has no name") }
        return Adapter(
          name: name, textEncoder: Float(item["text_encoder"]?.double ?? 1),
          unet: Float(item["unet"]?.double ?? 1), hash: item["sha256"]?.string,
          blocks: try item["lbw"]?.string.map { try BlockWeights($0) })
      }
    }
    (adapters, regionAdapters) = (try files("adapters"), try files("region_adapters"))
    for (key, what) in [
      ("t2i", "condition images"), ("control", "ControlNets and their pictures"), ("latents_in", "latents of a file"), ("vae", "another autoencoder"),
    ] where object[key] != nil {
      throw object.error(key, "the picture was drawn with \(what), which are not in it")
    }
    processor = object["cpu"]?.string
  }
}
