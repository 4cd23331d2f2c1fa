import Foundation
import MoscDiffusion
import MoscFormats
import MoscImages
import MoscModel
import MoscPrompts
import MoscRandom

/// The `parameters` text of AUTOMATIC1111's web UI, of Forge and of stable-diffusion.cpp.
extension PictureSettings {
  /// What changes nothing about a picture, or is used otherwise.
  private static let idle: Set<String> = [
    "Prompt", "Negative prompt", "Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size-1",
    "Size-2", "Model", "Model hash", "Clip skip", "RNG", "Version", "Lora hashes", "TI hashes", "Lora",
    "Emphasis", "VAE hash", "Hires resize-1", "Hires resize-2", "Hires sampler", "Hires schedule type",
    "Hires checkpoint", "Hires prompt", "Hires negative prompt", "Cache FP16 weight for LoRA",
    "FP8 weight", "Discard penultimate sigma", "Downcast alphas_cumprod", "Refiner switch by sampling steps",
    "Old prompt editing timelines", "Face restoration", "Guidance", "Eta", "Schedule rho", "Hires upscale",
    "Batch size", "Batch pos", "Emphasis", "Mask blur", "Mask mode", "Masked content", "Inpaint area",
    "Masked area padding", "Variation seed", "Variation seed strength", "Conditional mask weight", "Tiling",
  ]

  /// Reads the text.
  init(parameters text: String, path: String) throws {
    self.init()
    let info: Infotext
    // What the reader adds to a text that says nothing.
    let usual: Infotext
    do {
      (info, usual) = (try Infotext(reading: text), try Infotext(reading: ""))
    } catch {
      throw FormatError(path, "text parameters", "\(error)")
    }
    func field(_ name: String) -> String? { info[name]?.text }
    func number<Value: LosslessStringConvertible>(_ name: String) throws -> Value? {
      guard let text = field(name) else { return nil }
      guard let value = Value(text) else {
        throw FormatError(path, "text parameters", "\(name): expected a number, found '\(text)'")
      }
      return value
    }
    guard let steps: Int = try number("Steps"), let seed: UInt64 = try number("Seed") else {
      throw FormatError(path, "text parameters", "expected Steps and Seed, found neither or one")
    }
    let version = field("Version") ?? ""
    origin =
      version.hasPrefix("stable-diffusion.cpp") ? "stable-diffusion.cpp"
      : version.hasPrefix("f") ? "Forge \(version)" : "the web UI \(version)"
    request.prompt = field("Prompt") ?? ""
    request.negativePrompt = field("Negative prompt") ?? ""
    (request.steps, request.seeds) = (steps, [seed])
    request.guidance = try number("CFG scale")
    (request.width, request.height) = (try number("Size-1"), try number("Size-2"))
    request.clipSkip = try number("Clip skip") ?? 1
    readSampler(field("Sampler") ?? "Euler", field("Schedule type"))
    // The web UI's own default draws noise as an NVIDIA device does.
    let source = field("RNG") ?? "NV"
    request.randomSource = RandomSourceKind(spelling: source == "GPU" ? "NV" : source) ?? .cuda
    if let emphasis = field("Emphasis") {
      if let known = Emphasis.allCases.first(where: { $0.title == emphasis }) {
        request.promptSettings.emphasis = known
      } else {
        remark("Emphasis: \(emphasis) is unknown here")
      }
    }
    request.promptSettings.usesOldTiming = field("Old prompt editing timelines") == "True"
    if field("Tiling") == "True" { request.seamless = .both }
    (model, modelHash) = (field("Model") ?? "unknown", field("Model hash"))
    if let upscaler = field("Hires upscaler") {
      request.hires.isOn = true
      request.hires.strength = try number("Denoising strength") ?? HiresOptions.usualStrength
      request.hires.scale = try number("Hires upscale") ?? HiresOptions.usualScale
      if let width: Int = try number("Hires resize-1"), let height: Int = try number("Hires resize-2"),
        width + height > 0
      {
        request.hires.size = (width, height)
      }
      if let steps: Int = try number("Hires steps"), steps > 0 { request.hires.steps = steps }
      if let known = HiresUpscaler(spelling: upscaler) {
        request.hires.upscaler = known
      } else {
        remark("the upscaler '\(upscaler)' is a file that is not in the picture: Lanczos enlarges in its place")
        request.hires.upscaler = .picture(.lanczos)
      }
    }
    if field("Hires upscaler") == nil, let strength: Double = try number("Denoising strength") {
      hasSource = true
      request.picture.strength = strength
      request.picture.maskBlur = try number("Mask blur")
      request.picture.invertsMask = field("Mask mode") == "Inpaint not masked"
      request.picture.fill = field("Masked content").flatMap(PictureOptions.Fill.init(spelling:))
      request.picture.drawsOnlyMasked = field("Inpaint area") == "Only masked"
      request.picture.padding = try number("Masked area padding")
    }
    if let strength: Double = try number("Variation seed strength"), strength > 0 {
      (request.variation.seed, request.variation.strength) = (try number("Variation seed") ?? 0, strength)
    }
    let hasRegions = readRegions(field)
    let others = info.fields.filter { field in
      !Self.idle.contains(field.name) && !field.name.hasPrefix("Hires")
        && !(hasRegions && RegionalFields.prefixes.contains(where: field.name.hasPrefix))
        && field.name != "Denoising strength" && usual[field.name] != field.value
    }
    if !others.isEmpty {
      remark("not followed: " + others.map { "\($0.name): \($0.value.text)" }.joined(separator: ", "))
    }
  }

  /// Takes a sampler and its noise levels as other programs spell them.
  mutating func readSampler(_ name: String, _ schedule: String?) {
    if let choice = SamplerName.Choice(spelling: name) {
      request.sampler = choice
    } else {
      remark("there is no sampler '\(name)' here: DPM++ 2M draws in its place")
    }
    guard let schedule, schedule != "Automatic" else { return }
    if let known = SchedulerConfig.Levels(spelling: schedule) {
      request.levels = known
    } else {
      remark("there are no noise levels '\(schedule)' here: the sampler's own are taken")
    }
  }
}
