import Foundation
import MoscEngine
import MoscFormats
import MoscNetworks
import MoscSample
import TestSupport

/// A recorded run of the Mix-of-Show pipelines, and what is needed to repeat it.
package struct RecordedRun {
  package let file: SafetensorsFile

  package init(_ name: String) throws {
    file = try SafetensorsFile(Goldens.url("mix-of-show/\(name).safetensors"))
  }

  package static func url(_ name: String) -> URL { Goldens.url("mix-of-show/\(name)") }

  private func text(_ key: String) -> String { file.metadata[key] ?? "" }

  /// The request that repeats the run: everything comes from the file.
  package func request(_ scratch: Scratch, model: String) throws -> SampleRequest {
    var request = SampleRequest()
    request.model = ModelOptions(path: model, precision: .f32)
    request.compiler.cacheFolder = SharedKernels.folder
    request.prompt = text("prompt").isEmpty ? text("context") : text("prompt")
    request.negativePrompt = text("negative_prompt")
    request.guidance = Double(text("guidance_scale")) ?? 0
    request.steps = try JSONValue.parse(text("timesteps").utf8, path: "").array?.count ?? 0
    request.regions.rewrite = file.metadata["prompt_rewrite"]
    request.matchesMixOfShow = true
    request.latentsIn = file.url.path
    request.trajectory = scratch.path("trajectory.safetensors")
    request.output = scratch.path("picture.png")
    return request
  }

  /// The largest relative difference over the latents of all steps.
  package func worst(_ trajectory: String) throws -> Double {
    let latents = try TensorFile.read(trajectory, "latents")
    var worst = 0.0
    for step in 0..<latents.shape[0] {
      let expected = try file.array("latents_step\(step)").floats
      worst = max(worst, Comparison.relative(latents.samples(step..<step + 1).floats, expected))
    }
    return worst
  }
}

/// The model that the official code fused from both golden concepts: the base with the tensors
/// that fusion changed.
package enum FusedModel {
  package static func make(in scratch: Scratch) throws -> String {
    let folder = scratch.url.appendingPathComponent("fused")
    try FileManager.default.copyItem(at: RecordedRun.url("base"), to: folder)
    let changes = try SafetensorsFile(RecordedRun.url("fused/changed.safetensors"))
    for (part, stem) in [("unet", "diffusion_pytorch_model"), ("text_encoder", "model")] {
      let url = folder.appendingPathComponent("\(part)/\(stem).safetensors")
      let base = try SafetensorsFile(url)
      let tensors = try base.entries.map { entry in
        if entry.name.hasSuffix("token_embedding.weight") {
          let (old, new) = (try base.array(entry.name), try changes.array("token_rows"))
          let rows = entry.shape[0] + new.shape[0]
          return (entry.name, HostArray(old.floats + new.floats, shape: [rows, entry.shape[1]]))
        }
        let changed = "\(part).\(entry.name)"
        return (
          entry.name,
          changes[changed] == nil ? try base.array(entry.name) : try changes.array(changed)
        )
      }
      try FileManager.default.removeItem(at: url)
      try SafetensorsFile.write(tensors, metadata: [:], to: url)
    }
    let config = folder.appendingPathComponent("text_encoder/config.json")
    let text = try String(contentsOf: config, encoding: .utf8)
    try FileManager.default.removeItem(at: config)
    try text.replacing("49408", with: "49472").write(to: config, atomically: true, encoding: .utf8)
    for (name, place) in [
      ("new_concept_cfg.json", "new_concept_cfg.json"),
      ("added_tokens.json", "tokenizer/added_tokens.json"),
    ] {
      try FileManager.default.copyItem(
        at: RecordedRun.url("fused/\(name)"), to: folder.appendingPathComponent(place))
    }
    return folder.path
  }
}
