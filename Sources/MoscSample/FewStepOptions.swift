import MoscDiffusion
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

/// What makes runs cheaper: reuse, a range of guidance, and the settings of few-step adapters.
package struct FewStepOptions: Hashable, Codable, Sendable {
  /// Settings that a few-step adapter decides where nothing was said.
  package enum Setting: Hashable, Codable, Sendable, CaseIterable {
    case steps, sampler
  }

  /// What was left to the program.
  package var unsaid: Set<Setting> = []
  /// Where guidance acts; nil for everywhere.
  package var guidanceRange: GuidanceRange?
  package var reuse = StepReuseOptions()

  package init() {}

  /// What a picture says of them.
  var fields: [(String, JSONValue)] {
    var fields: [(String, JSONValue)] = []
    if let guidanceRange { fields.append(("guidance_range", .string(guidanceRange.spelling))) }
    if reuse.isOn {
      fields.append(("reuse", .int(reuse.interval)))
      fields.append(("reuse_depth", .int(reuse.depth)))
      fields.append(("reuse_first", .int(reuse.first)))
    }
    return fields
  }

  /// Reads what a picture says of them.
  init(_ object: JSONObject) throws {
    if let text = object["guidance_range"]?.string {
      guard let range = GuidanceRange(spelling: text) else {
        throw object.error("guidance_range", "'\(text)' is no range")
      }
      guidanceRange = range
    }
    reuse.interval = try object.int("reuse", default: reuse.interval)
    reuse.depth = try object.int("reuse_depth", default: reuse.depth)
    reuse.first = try object.int("reuse_first", default: reuse.first)
  }
}

extension SampleRequest {
  /// Takes the settings that a few-step model or adapter wants, where nothing was said.
  ///
  /// - Returns: one line that says what was taken; nil when nothing was.
  mutating func takeFewSteps(_ model: DiffusersModel) throws -> String? {
    guard let found = try FewStepModel(of: model, strengths: self.model.adapters.files.map(\.unet)),
      sigmas == nil
    else { return nil }
    var taken: [String] = []
    if fewSteps.unsaid.contains(.sampler), levels == nil, timestepSpacing == nil {
      sampler = found.sampler
      timestepSpacing = found.sampler.spacing
      var text = "--sampler '\(found.sampler)'"
      if let spacing = found.sampler.spacing { text += " --timestep-spacing \(spacing.rawValue)" }
      if eta == nil, let own = found.eta {
        eta = own
        text += " --eta \(GenerationParameters.number(own))"
      }
      taken.append(text)
    }
    if fewSteps.unsaid.contains(.steps) {
      steps = found.steps
      taken.append("--steps \(found.steps)")
    }
    if guidance == nil {
      guidance = found.guidance
      taken.append("--cfg-scale \(GenerationParameters.number(found.guidance))")
    }
    return taken.isEmpty
      ? nil : "\(found.name) is \(found.kind): taking \(taken.joined(separator: " "))"
  }
}
