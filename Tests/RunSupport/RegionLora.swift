import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscNetworks
import MoscPrompts
import MoscReport
import MoscSample
import TestSupport

/// A recorded run in which adapters act in regions, and what is needed to repeat it.
package struct RegionLoraRun {
  package let file: SafetensorsFile

  package init(_ name: String) throws {
    file = try SafetensorsFile(Self.url("region_lora_\(name).safetensors"))
  }

  package static func url(_ name: String) -> URL { Goldens.url("region-lora/\(name)") }

  private func text(_ key: String) -> String { file.metadata[key] ?? "" }
  private func list(_ key: String) throws -> [JSONValue] {
    try JSONValue.parse(text(key).utf8, path: key).array ?? []
  }

  /// An adapter as a `lora` field spells it.
  private static func spelling(_ lora: JSONValue) -> String {
    let strengths = ["text_encoder", "unet"].map { "\(lora[$0]?.double ?? 1)" }
    return ([url(lora["file"]?.string ?? "").path] + strengths).joined(separator: ":")
  }

  /// The regions as objects of a scene file.
  package func regions() throws -> [JSONValue] {
    try list("regions").map { region in
      var fields = (region.members ?? []).filter { $0.key != "lora" }.map { ($0.key, $0.value) }
      let loras = region["lora"]?.array ?? []
      fields.append(("lora", .array(loras.map { .string(Self.spelling($0)) })))
      return .fields(fields)
    }
  }

  /// The request that repeats the run.
  package func request(_ scratch: Scratch) throws -> SampleRequest {
    var request = SampleRequest()
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.compiler.cacheFolder = SharedKernels.folder
    request.promptSettings.syntax = .plain
    (request.prompt, request.negativePrompt) = (text("prompt"), text("negative_prompt"))
    request.guidance = Double(text("guidance_scale"))
    request.steps = Int(text("steps")) ?? 0
    request.sampler = SamplerName.Choice(spelling: text("sampler")) ?? request.sampler
    request.matchesMixOfShow = text("compat") == "mix-of-show"
    request.regions.items = try regions()
    request.model.adapters.files = try list("adapters").compactMap {
      AdapterRequest(spelling: Self.spelling($0))
    }
    request.latentsIn = file.url.path
    request.trajectory = scratch.path("trajectory.safetensors")
    request.output = scratch.path("picture.png")
    return request
  }

  /// The relative difference of the latents after each step.
  package func errors(_ trajectory: String) throws -> [Double] {
    let latents = try SafetensorsFile(URL(fileURLWithPath: trajectory)).array("latents")
    return try (0..<latents.shape[0]).map { step in
      let expected = try file.array("latents_step\(step)").floats
      let size = expected.count
      return Comparison.relative(Array(latents.floats[step * size..<(step + 1) * size]), expected)
    }
  }
}
