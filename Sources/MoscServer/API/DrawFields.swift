import Foundation
import MoscDiffusion
import MoscFormats
import MoscNetworks
import MoscPrompts
import MoscRandom
import MoscSample

/// The fields of a native request to draw, under the names of `mosc sample`'s options.
enum DrawFields {
  static let names = [
    "kind", "model", "prompt", "negative_prompt", "width", "height", "steps", "cfg_scale", "seed", "sampler",
    "scheduler", "clip_skip", "batch_count", "batch_size", "rng", "eta", "regions", "preview_every",
    "hires", "seamless", "init_image", "mask", "strength", "mask_blur", "inpaint_fill", "inpaint_full_res",
    "inpaint_full_res_padding", "inpaint_invert", "resize_mode", "keep_outside", "subseed", "subseed_strength",
    "region_report",
  ]

  /// The request that the fields describe.
  ///
  /// - Throws: `APIError` naming the field.
  static func request(_ fields: JSONFields, _ services: Services) throws -> SampleRequest {
    for name in fields.members.map(\.key) where !names.contains(name) {
      let nearest = NearestName.suggest(name, in: names).map { ", did you mean '\($0)'?" } ?? ""
      throw APIError.field(name, "there is no such field\(nearest)", kind: "extra_forbidden")
    }
    var request = try services.request(model: fields.string("model"))
    request.prompt = try fields.string("prompt") ?? ""
    request.negativePrompt = try fields.string("negative_prompt") ?? ""
    request.width = try fields.int("width", in: Limits.side)
    request.height = try fields.int("height", in: Limits.side)
    try Limits.check(width: request.width, height: request.height)
    request.steps = try fields.int("steps", in: Limits.steps) ?? request.steps
    request.guidance = try fields.double("cfg_scale", in: Limits.guidance)
    request.seeds = [try seed(fields)]
    if let name = try fields.string("sampler"), !name.isEmpty { request.sampler = try sampler(name, field: "sampler") }
    if let name = try fields.string("scheduler"), !name.isEmpty { request.levels = try levels(name, field: "scheduler") }
    request.clipSkip = try fields.int("clip_skip", in: 1...24) ?? request.clipSkip
    request.batchCount = try fields.int("batch_count", in: Limits.count) ?? 1
    request.batchSize = try fields.int("batch_size", in: Limits.batch) ?? 1
    request.eta = try fields.double("eta", in: 0...1)
    if let name = try fields.string("rng"), !name.isEmpty {
      guard let source = RandomSourceKind(spelling: name) else { throw APIError.field("rng", "'\(name)' is unknown here") }
      request.randomSource = source
    }
    try LargePictureFields.apply(fields, to: &request)
    request.picture = try InitialPicture.options(fields)
    request.variation = try variation(fields)
    request.regions.items = try regions(fields.array("regions") ?? [], field: "regions", services)
    request.regions.report.isKept = try fields.bool("region_report") ?? false
    guard !request.regions.report.isKept || !request.regions.items.isEmpty else {
      throw APIError.field("region_report", "is about regions; there are none")
    }
    return request
  }

  /// The seed, which may stand as a text, for numbers that JavaScript cannot hold; -1 or nothing is random.
  static func seed(_ fields: JSONFields) throws -> UInt64 {
    if let text = fields["seed"]?.string {
      if text.isEmpty || text == "-1" { return SeedList.random.seeds()[0] }
      guard let seed = UInt64(text) else { throw APIError.field("seed", "expected a number, found '\(text)'") }
      return seed
    }
    guard let seed = try fields.int("seed", in: Limits.seed), seed >= 0 else { return SeedList.random.seeds()[0] }
    return UInt64(seed)
  }

  /// Noise between two seeds.
  static func variation(_ fields: JSONFields) throws -> VariationOptions {
    var options = VariationOptions()
    options.strength = try fields.double("subseed_strength", in: 0...1) ?? 0
    if options.isOn {
      let seed = try fields.int("subseed", in: Limits.seed) ?? -1
      options.seed = seed < 0 ? SeedList.random.seeds()[0] : UInt64(seed)
    }
    return options
  }

  static func sampler(_ name: String, field: String) throws -> SamplerName.Choice {
    guard let choice = SamplerName.Choice(spelling: name) else {
      throw APIError.field(field, "there is no sampler '\(name)'")
    }
    return choice
  }

  static func levels(_ name: String, field: String) throws -> SchedulerConfig.Levels {
    guard let levels = SchedulerConfig.Levels(spelling: name) else {
      throw APIError.field(field, "there is no scheduler '\(name)'")
    }
    return levels
  }

  /// Regions as in scene files, whose masks are pictures and no places on this disk.
  static func regions(_ items: [JSONValue], field: String, _ services: Services) throws -> [JSONValue] {
    guard items.count <= 16 else { throw APIError.field(field, "\(items.count) regions, at most 16 are drawn") }
    for (index, item) in items.enumerated() {
      guard item.members != nil else { throw APIError.field(field, "entry \(index): expected an object") }
      for lora in item["lora"].map({ $0.array ?? [$0] }) ?? [] {
        guard let text = lora.string, !text.contains("/"), !text.contains("\\"), !text.hasPrefix(".") else {
          throw APIError.field(field, "entry \(index): lora: expected the name of an adapter, such as cat:0.8, no path")
        }
      }
      guard let mask = item["mask"], mask != .null else { continue }
      guard let text = mask.string, text.hasPrefix("data:image/png;base64,") else {
        throw APIError(400, "\(field)[\(index)].mask: expected data:image/png;base64,…", field: field)
      }
      _ = try UploadedPicture.image(text, field: "\(field)[\(index)].mask")
    }
    return try items.map { item in
      .object(
        try (item.members ?? []).filter { $0.value != .null }.map { member in
          guard member.key == "lora" else { return member }
          let names = member.value.array ?? [member.value]
          return .init("lora", .array(try names.map { .string(try adapter($0.string, services)) }))
        })
    }
  }

  /// The place of an adapter that a region names, `NAME[:text[:unet]]`, with its strengths.
  private static func adapter(_ spelling: String?, _ services: Services) throws -> String {
    guard let spelling, let request = AdapterRequest(spelling: spelling),
      request.path.wholeMatch(of: /[^\/\\]+/) != nil
    else { throw APIError.field("lora", "expected NAME, NAME:strength or NAME:text:unet") }
    let found = try AdapterFiles.find(request.path, in: services.catalog.loraFolder.path)
    return "\(found.path):\(request.textEncoder):\(request.unet)"
  }
}
