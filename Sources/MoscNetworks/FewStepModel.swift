import Foundation
import MoscDiffusion
import MoscFormats
import MoscIR
import MoscModel

/// A model or adapter that was distilled to draw in few steps, and the settings it was made for.
///
/// A U-Net that takes an embedding of guidance is told by its configuration, a folder by the scheduler it
/// names; adapters, whose tensors are like those of any other, by the names in their metadata and of
/// their files.
package struct FewStepModel: Hashable, Sendable {
  /// The file or folder.
  package var name: String
  /// What it is, in words.
  package var kind: String
  package var sampler: SamplerName.Choice
  package var steps: Int
  package var guidance: Double
  /// How much noise is put back; nil for what is usual.
  package var eta: Double?

  private init(
    _ name: String, _ kind: String, _ sampler: SamplerName.Choice, steps: Int, guidance: Double = 1,
    eta: Double? = nil
  ) {
    (self.name, self.kind, self.sampler) = (name, kind, sampler)
    (self.steps, self.guidance, self.eta) = (steps, guidance, eta)
  }

  /// What a model with its adapters is; nil for one that takes many steps.
  ///
  /// - Parameter strengths: how strongly adapters act on the U-Net; weak ones decide nothing.
  package init?(of model: DiffusersModel, strengths: [Float] = []) throws {
    for (index, adapter) in model.adapters.adapters.enumerated() {
      // Half of a distillation takes about as many steps as none.
      guard index >= strengths.count || abs(strengths[index]) >= 0.5 else { continue }
      let url = URL(fileURLWithPath: adapter.declaration.path)
      let titles = Self.titleKeys.compactMap { adapter.metadata[$0] }
      // Files of the hub have the same name in every repository.
      let folder = url.deletingLastPathComponent().lastPathComponent
      let own = url.lastPathComponent
      let names = titles + [own] + (own.hasPrefix("pytorch_lora_weights") || url.pathExtension.isEmpty ? [folder] : [])
      for name in names {
        guard let found = Self(adapter: name, in: own) else { continue }
        self = found
        return
      }
    }
    let name = model.url.lastPathComponent
    if try model.unet().config.guidanceWidth != nil {
      self.init(name, "a latent consistency model", .init(.lcm), steps: 4, guidance: 8.5)
      return
    }
    let scheduler = try model.layout.schedulerConfig()
    switch scheduler?["_class_name"]?.string {
    case "LCMScheduler"?: self.init(name, "made for LCM", .init(.lcm), steps: 4)
    case "TCDScheduler"?: self.init(name, "made for TCD", .init(.tcd), steps: 4)
    case "EulerDiscreteScheduler"?, "EulerAncestralDiscreteScheduler"?:
      guard Self.words(name).contains("turbo") else { return nil }
      self.init(name, "a turbo model", .init(.euler, spacing: .trailing), steps: 1)
    default:
      guard let found = Self(model: name) else { return nil }
      self = found
    }
  }

  /// Where metadata has a name.
  private static let titleKeys = ["modelspec.title", "ss_output_name"]

  /// The words of a name, in lower case.
  private static func words(_ name: String) -> [String] {
    name.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
  }

  /// The number before "step" or "steps" in a name.
  package static func steps(in name: String) -> Int? {
    let words = words(name)
    for (index, word) in words.enumerated() {
      let digits = word.prefix(while: \.isNumber)
      let rest = word.dropFirst(digits.count)
      if let count = Int(digits), 1...64 ~= count,
        rest == "step" || rest == "steps" || (rest.isEmpty && index + 1 < words.count && words[index + 1].hasPrefix("step"))
      {
        return count
      }
    }
    return nil
  }

  /// What an adapter is by a name; nil for any other.
  package init?(adapter title: String, in file: String) {
    let words = Self.words(title)
    let steps = Self.steps(in: title)
    func has(_ word: String) -> Bool { words.contains(word) }
    if words.contains(where: { $0.hasPrefix("hyper") }), has("sd15") || has("sd") || has("hypersd") || steps != nil {
      // One model has a step, for which its makers take TCD; those with guidance were distilled with it.
      let guidance = words.contains("cfg") ? 7.0 : 1
      if steps == 1 {
        self.init(file, "a Hyper-SD adapter", .init(.tcd), steps: 1, guidance: guidance, eta: 1)
      } else {
        self.init(
          file, "a Hyper-SD adapter", .init(.ddim, spacing: .trailing), steps: steps ?? 4,
          guidance: guidance)
      }
    } else if has("tcd") {
      self.init(file, "a TCD adapter", .init(.tcd), steps: steps ?? 4, eta: 0.3)
    } else if has("lcm") {
      self.init(file, "an LCM adapter", .init(.lcm), steps: steps ?? 4)
    } else if has("pcm"), steps != nil || has("sd15") {
      self.init(
        file, "a PCM adapter", .init(.ddim, spacing: .trailing), steps: steps ?? 4,
        guidance: words.contains("normalcfg") ? 7.5 : 1)
    } else if has("lightning"), let steps {
      self.init(file, "a Lightning adapter", .init(.euler, levels: .sgmUniform), steps: steps)
    } else if has("turbo"), let steps {
      self.init(file, "a turbo adapter", .init(.euler, spacing: .trailing), steps: steps)
    } else {
      return nil
    }
  }

  /// What a model is by its name, where nothing else says it.
  private init?(model name: String) {
    let words = Self.words(name)
    if words.contains("lcm") {
      self.init(name, "made for LCM", .init(.lcm), steps: Self.steps(in: name) ?? 4)
    } else if words.contains("turbo") && words.contains("sd") {
      self.init(name, "a turbo model", .init(.euler, spacing: .trailing), steps: Self.steps(in: name) ?? 1)
    } else {
      return nil
    }
  }
}
