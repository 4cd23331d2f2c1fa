import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
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

  package init(_ plan: SamplePlan, _ target: CompilationTarget) {
    self.plan = plan
    self.target = target
  }

  /// Writes a picture with its settings, whole or not at all.
  ///
  /// - Returns: where it is.
  package func write(
    _ image: PixelImage, _ picture: SamplePlan.Picture, to file: OutputFile
  ) throws -> OutputFile {
    try file.put(
      image,
      texts: plan.request.writesMetadata
        ? [("parameters", parameters(picture).text), ("mosc", configuration(picture).description)]
        : [])
  }

  /// The settings as the A1111 web UI spells them.
  package func parameters(_ picture: SamplePlan.Picture) -> GenerationParameters {
    let request = plan.request
    var settings: [GenerationParameters.Setting] = [
      .init("Steps", "\(request.steps)"), .init("Sampler", plan.sampler.rawValue),
    ]
    if let title = plan.schedulerConfig.levels.title { settings.append(.init("Schedule type", title)) }
    settings += [
      .init("CFG scale", GenerationParameters.number(plan.guidance)),
      .init("Seed", "\(picture.seed)"), .init("Size", "\(plan.width)x\(plan.height)"),
      .init("Model", modelName),
    ]
    if !plan.model.adapters.adapters.isEmpty {
      let names = plan.model.adapters.adapters.map(\.name).joined(separator: ", ")
      settings.append(.init("Lora", names))
    }
    if request.clipSkip > 1 { settings.append(.init("Clip skip", "\(request.clipSkip)")) }
    settings += emphasis(picture)
    settings += [.init("RNG", request.randomSource.title), .init("Version", "mosc \(Version.number)")]
    return GenerationParameters(
      prompt: picture.prompt, negativePrompt: picture.negative, settings: settings)
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
  package func configuration(_ picture: SamplePlan.Picture) -> JSONValue {
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
    if !request.model.adapters.files.isEmpty {
      fields.append(("adapters", .array(request.model.adapters.files.map(adapter))))
    }
    if !plan.regions.isEmpty { fields.append(("regions", .array(zip(plan.regions, picture.regions).map(region)))) }
    if !request.conditions.isEmpty {
      fields.append(("t2i", .array(request.conditions.map(condition))))
    }
    fields.append(("prompt_syntax", .string(request.syntax.rawValue)))
    if request.syntax == .a1111 {
      fields.append(("emphasis", .string(request.promptSettings.emphasis.rawValue)))
    }
    if request.promptSettings.commaBacktrack != PromptSettings().commaBacktrack {
      fields.append(("comma_backtrack", .int(request.promptSettings.commaBacktrack)))
    }
    if request.promptSettings.usesOldTiming { fields.append(("old_prompt_timing", .bool(true))) }
    if request.matchesMixOfShow { fields.append(("compat", .string("mix-of-show"))) }
    return .fields(fields)
  }

  private func adapter(_ request: AdapterRequest) -> JSONValue {
    let url = URL(fileURLWithPath: request.path)
    return .fields([
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
      ("adapter", name(condition.adapter)), ("image", name(condition.image)),
      ("strength", .double(condition.strength)),
    ])
  }

  private func region(_ region: Region, _ prompts: SamplePlan.RegionPrompts) -> JSONValue {
    var fields: [(String, JSONValue)] = [
      ("name", .string(region.name)), ("prompt", .string(prompts.prompt)),
      ("negative", .string(prompts.negative)),
      ("weight", .double(region.weight)), ("feather", .double(region.feather)),
      ("steps", .array([.double(region.steps.lowerBound), .double(region.steps.upperBound)])),
    ]
    if let box = region.box {
      let numbers = [box.left, box.top, box.right, box.bottom]
      fields.append(("box", .array(numbers.map { .double($0) })))
    }
    return .fields(fields)
  }

  /// The model's folder name, without the path to it.
  private var modelName: String {
    request.model.path.map { URL(fileURLWithPath: $0).standardizedFileURL.lastPathComponent }
      ?? "mosc-base"
  }

  private var request: SampleRequest { plan.request }
}
