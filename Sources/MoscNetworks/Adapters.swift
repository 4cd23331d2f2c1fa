import Foundation
import MoscDiffusion
import MoscFormats
import MoscModel
import MoscReport

/// An adapter file and its strengths, as `--lora FILE[:te[:unet]]` names them.
package struct AdapterRequest: Hashable, Sendable {
  package var path: String
  package var textEncoder: Float = 1
  package var unet: Float = 1

  package init(path: String, textEncoder: Float = 1, unet: Float = 1) {
    self.path = path
    self.textEncoder = textEncoder
    self.unet = unet
  }

  /// Reads `FILE`, `FILE:strength` or `FILE:text:unet`; nil for strengths that are no numbers.
  ///
  /// Trailing fields that are numbers are strengths, so a path may hold colons.
  package init?(spelling: String) {
    var fields = spelling.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    var strengths: [Float] = []
    while fields.count > 1, strengths.count < 2, let last = fields.last, let value = Float(last),
      value.isFinite
    {
      strengths.insert(value, at: 0)
      fields.removeLast()
    }
    let path = fields.joined(separator: ":")
    if path.isEmpty || path.hasSuffix(":") { return nil }
    self.init(
      path: path, textEncoder: strengths.first ?? 1, unet: strengths.last ?? 1)
  }
}

/// What changes the model: adapters, and how they are applied.
package struct AdapterOptions: Hashable, Sendable {
  /// How adapters enter the computation.
  package enum Mode: String, CaseIterable, Hashable, Sendable {
    /// Merged into the weights when they are loaded: steps cost nothing more.
    case fold
    /// Beside the layers, as low-rank branches of every step.
    case runtime
  }

  package var files: [AdapterRequest] = []
  /// Where `<lora:name:…>` in prompts looks.
  package var folder: String?
  package var mode = Mode.fold
  /// Whether tensors without a place are counted rather than refused.
  package var allowsUnmatched = false

  package init() {}
}

extension ModelComponents {
  /// The model of the options, with their adapters.
  ///
  /// - Parameter tags: further adapters that prompts name.
  /// - Throws: what is wrong with a file; a strictness error for tensors without a place.
  package static func open(_ options: ModelOptions, tags: [LoraTag] = []) throws -> DiffusersModel {
    var model = try open(options.path, vae: options.vae)
    let requests = try options.adapters.files + tags.map { try find($0, options.adapters.folder) }
    if requests.isEmpty { return model }
    var files: [(AdapterFile, AdapterStrength)] = []
    for request in requests {
      let file = try AdapterFile(URL(fileURLWithPath: request.path))
      files.append(
        (file, AdapterStrength(textEncoder: request.textEncoder, unet: request.unet)))
    }
    let set = try AdapterSet(files, model)
    if !options.adapters.allowsUnmatched {
      for (adapter, request) in zip(set.adapters, requests) {
        guard let first = adapter.unmatched.first else { continue }
        let shown = adapter.unmatched.prefix(10).map { "\n  '\($0.name)': \($0.reason)" }.joined()
        let rest = adapter.unmatched.count > 10 ? "\n  and \(adapter.unmatched.count - 10) more" : ""
        throw CommandError(
          .strictness,
          "\(request.path): \(adapter.unmatched.count) tensors found no place in the model, the "
            + "first is '\(first.name)'; --allow-unmatched leaves them out:\(shown)\(rest)")
      }
    }
    model.adapters = set
    return model
  }

  /// The file that a prompt's tag names.
  private static func find(_ tag: LoraTag, _ folder: String?) throws -> AdapterRequest {
    guard let folder else {
      throw CommandError.usage(
        "the prompt asks for <lora:\(tag.name)>; say where adapters are with --lora-model-dir")
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    let stems = names.filter { ["safetensors", "pth", "pt"].contains(suffix($0)) }
    guard let found = stems.first(where: { stem($0) == tag.name || $0 == tag.name }) else {
      let nearest = NearestName.suggest(tag.name, in: stems.map(stem))
      throw CommandError.failure(
        "'\(folder)' has no adapter '\(tag.name)'"
          + (nearest.map { ", did you mean '\($0)'?" } ?? ""))
    }
    return AdapterRequest(
      path: "\(folder)/\(found)", textEncoder: tag.textEncoder, unet: tag.unet)
  }

  private static func suffix(_ name: String) -> String {
    URL(fileURLWithPath: name).pathExtension.lowercased()
  }

  private static func stem(_ name: String) -> String {
    URL(fileURLWithPath: name).deletingPathExtension().lastPathComponent
  }
}

extension Reporter {
  /// Says what adapters were applied to.
  package func report(_ adapters: AdapterSet) {
    for adapter in adapters.adapters {
      info(adapter.summary)
      if !adapter.unmatched.isEmpty {
        warn("\(adapter.name): \(adapter.unmatched.count) tensors found no place and are left out")
      }
    }
    if !adapters.words.isEmpty {
      detail("concept words: \(adapters.words.map(\.text).joined(separator: ", "))")
    }
  }
}
