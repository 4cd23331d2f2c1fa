import Foundation
import MoscDiffusion
import MoscFormats
import MoscReport
import MoscSample

/// A request of `txt2img` or `img2img`.
///
/// Fields of the web UI that nothing here does may stand with the values that do nothing; unknown ones are
/// passed over, as there.
struct WebUIRequest: Sendable {
  var request: SampleRequest
  let taskID: String?
  let sendsImages: Bool
  /// What was asked for, without pictures.
  let echo: JSONValue
  /// What else is written about the pictures, such as warnings.
  var extra: [(String, JSONValue)] = []
  let model: ModelCatalog.Model

  /// - Throws: `APIError` naming the field.
  init(_ given: JSONFields, beginsWithPicture: Bool = false, _ services: Services) throws {
    try Self.checkNeutral(given)
    let fields = try InfotextFields.applied(to: given)
    let overrides = try fields.object("override_settings") ?? JSONFields([])
    try Self.checkVAE(overrides.string("sd_vae"))
    model = try services.catalog.find(overrides.string("sd_model_checkpoint") ?? services.settings.model)
    var request = try services.request(model: model.id)
    request.prompt = try fields.string("prompt") ?? ""
    request.negativePrompt = try fields.string("negative_prompt") ?? ""
    request.seeds = [try DrawFields.seed(fields)]
    request.batchSize = try fields.int("batch_size", in: Limits.batch) ?? 1
    request.batchCount = try fields.int("n_iter", in: Limits.count) ?? 1
    guard request.batchSize * request.batchCount <= Limits.mostPictures else {
      throw APIError.field("n_iter", "more than \(Limits.mostPictures) pictures")
    }
    request.steps = try fields.int("steps", in: Limits.steps) ?? 50
    request.guidance = try fields.double("cfg_scale", in: Limits.guidance) ?? 7
    request.width = try fields.int("width", in: Limits.side) ?? 512
    request.height = try fields.int("height", in: Limits.side) ?? 512
    try Limits.check(width: request.width, height: request.height)
    let name = try fields.string("sampler_name") ?? fields.string("sampler_index") ?? "Euler"
    guard let sampler = SamplerName.Choice(spelling: name) else { throw APIError(400, "Sampler not found") }
    request.sampler = sampler
    if let name = try fields.string("scheduler"), name.lowercased() != "automatic", !name.isEmpty {
      guard let levels = SchedulerConfig.Levels(spelling: name) else { throw APIError(400, "Scheduler not found") }
      request.levels = levels
    }
    if sampler.sampler.takesEta { request.eta = try fields.double("eta", in: 0...1) }
    try LargePictureFields.applyWebUI(fields, to: &request)
    request.variation = try DrawFields.variation(fields)
    if beginsWithPicture { request.picture = try InitialPicture.webUI(fields) }
    if let skip = try overrides.int("CLIP_stop_at_last_layers", in: 0...24) { request.clipSkip = max(1, skip) }
    taskID = try fields.string("force_task_id")
    sendsImages = try fields.bool("send_images") ?? true
    self.request = request
    echo = .object(fields.members.filter { !["alwayson_scripts", "infotext", "init_images", "mask"].contains($0.key) })
    if let scripts = try fields.object("alwayson_scripts") {
      extra = try AlwaysOnScripts.apply(scripts, to: &self.request, services)
    }
    if try fields.bool("override_settings_restore_afterwards") == false {
      let (model, clipSkip) = (model.id, request.clipSkip)
      services.change { ($0.model, $0.clipSkip) = (model, clipSkip) }
    }
  }

  static func checkVAE(_ name: String?) throws {
    guard let name, !["automatic", "none", ""].contains(name.lowercased()) else { return }
    throw APIError(404, "there is no VAE '\(PlainPaths.clean(name))'")
  }

  /// Values that change nothing, of fields that nothing reads.
  private static func checkNeutral(_ fields: JSONFields) throws {
    for name in ["restore_faces"] where try fields.bool(name) == true {
      throw APIError.field(name, "is not supported", .bool(true))
    }
    for name in ["s_churn", "s_tmin", "s_min_uncond", "firstphase_width", "firstphase_height"] {
      guard let value = fields[name], value.double != 0 else { continue }
      throw APIError.field(name, "is not supported, expected 0", value)
    }
    for name in ["seed_resize_from_w", "seed_resize_from_h"] {
      guard let value = fields[name]?.double, value > 0 else { continue }
      throw APIError.field(name, "is not supported, expected -1", fields[name])
    }
    if let noise = fields["s_noise"], noise.double != 1 { throw APIError.field("s_noise", "is not supported, expected 1", noise) }
    for name in ["refiner_checkpoint", "script_name"] {
      guard let text = try fields.string(name), !["", "none"].contains(text.lowercased()) else { continue }
      throw APIError.field(name, "'\(text)' is not here", fields[name])
    }
    for name in ["styles", "script_args"] {
      guard let list = try fields.array(name), !list.isEmpty else { continue }
      throw APIError.field(name, "is not supported, expected an empty list", fields[name])
    }
  }
}
