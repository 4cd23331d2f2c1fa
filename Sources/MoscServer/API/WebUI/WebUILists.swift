import Foundation
import Hummingbird
import MoscDiffusion
import MoscFormats
import MoscNetworks
import MoscReport
import MoscRuntime
import MoscSample

/// What clients of the web UI's API ask for to fill their menus.
struct WebUILists: Sendable {
  let services: Services

  init(_ services: Services) { self.services = services }

  var routes: [Route] {
    let empty = ["sd-vae", "hypernetworks", "prompt-styles", "face-restorers", "realesrgan-models", "extensions"]
    let lists: [(String, @Sendable () throws -> JSONValue)] = [
      ("sd-models", models), ("samplers", samplers), ("schedulers", schedulers), ("loras", loras),
      ("embeddings", embeddings), ("upscalers", upscalers), ("scripts", scripts), ("script-info", scriptInfo),
      ("memory", memory), ("latent-upscale-modes", latentModes),
      ("cmd-flags", { .fields([("api", .bool(true)), ("nowebui", .bool(false))]) }),
    ]
    let nothing: [(String, JSONValue)] = [
      ("refresh-loras", .null), ("refresh-checkpoints", .null), ("refresh-vae", .null),
      ("refresh-embeddings", .null), ("reload-checkpoint", .fields([])),
    ]
    return empty.map { name in Route(.get, "/sdapi/v1/\(name)") { _ in .json(.array([])) } }
      + lists.map { name, list in
        Route(.get, "/sdapi/v1/\(name)") { _ in .json(try await Offload.run(list)) }
      }
      + nothing.map { name, answer in Route(.post, "/sdapi/v1/\(name)") { _ in .json(answer) } }
      + [
        Route(.post, "/sdapi/v1/unload-checkpoint") { _ in
          self.services.keeper.clear()
          return .json(.fields([]))
        }
      ]
  }

  @Sendable private func models() throws -> JSONValue {
    .array(
      try services.catalog.models().map { model in
        let hash = services.catalog.hash(model)
        return .fields([
          ("title", .string(services.catalog.title(model))), ("model_name", .string(model.stem)),
          ("hash", hash.map { .string(String($0.prefix(10))) } ?? .null), ("sha256", hash.map(JSONValue.string) ?? .null),
          ("filename", .string(model.id)), ("config", .null),
        ])
      })
  }

  @Sendable private func samplers() -> JSONValue {
    .array(
      SamplerName.allCases.map { sampler in
        .fields([
          ("name", .string(sampler.rawValue)),
          ("aliases", .array([.string("k_" + sampler.rawValue.lowercased().replacing("++", with: "pp").replacing(" ", with: "_"))])),
          ("options", .fields([])),
        ])
      })
  }

  @Sendable private func schedulers() -> JSONValue {
    let automatic: JSONValue = .fields([
      ("name", .string("automatic")), ("label", .string("Automatic")), ("aliases", .null),
      ("default_rho", .double(-1)), ("need_inner_model", .bool(false)),
    ])
    let others = SchedulerConfig.Levels.allCases.compactMap { levels in
      levels.title.map { title in
        JSONValue.fields([
          ("name", .string(levels.rawValue)), ("label", .string(title)), ("aliases", .null),
          ("default_rho", .double(levels == .karras ? 7 : -1)), ("need_inner_model", .bool(false)),
        ])
      }
    }
    return .array([automatic] + others)
  }

  @Sendable private func loras() throws -> JSONValue {
    .array(
      try services.catalog.loras().map { name in
        let stem = NativeCatalog.stem(name)
        return .fields([
          ("name", .string(stem)), ("alias", .string(stem)), ("path", .string(name)), ("metadata", .fields([])),
        ])
      })
  }

  @Sendable private func embeddings() throws -> JSONValue {
    var loaded: [(String, JSONValue)] = []
    for name in try services.catalog.embeddings() {
      guard let word = try services.catalog.words(name, isEmbedding: true).first else { continue }
      loaded.append(
        (NativeCatalog.stem(name),
          .fields([
            ("step", .null), ("sd_checkpoint", .null), ("sd_checkpoint_name", .null),
            ("shape", .int(word.width)), ("vectors", .int(word.vectors)),
          ])))
    }
    return .fields([("loaded", .fields(loaded)), ("skipped", .fields([]))])
  }

  /// Upscalers of pictures; those of latents are a list of their own.
  @Sendable private func upscalers() -> JSONValue {
    let names = HiresUpscaler.builtIn.compactMap { upscaler in
      if case .picture = upscaler { upscaler.title } else { nil }
    }
    return .array(
      (["None"] + names).map { name in
        .fields([
          ("name", .string(name)), ("model_name", .null), ("model_path", .null), ("model_url", .null), ("scale", .double(4)),
        ])
      })
  }

  @Sendable private func latentModes() -> JSONValue {
    .array(
      HiresUpscaler.builtIn.compactMap { upscaler in
        if case .latent = upscaler { .fields([("name", .string(upscaler.title))]) } else { nil }
      })
  }

  @Sendable private func scripts() -> JSONValue {
    let names = AlwaysOnScripts.names.map { JSONValue.string($0.lowercased()) }
    return .fields([("txt2img", .array(names)), ("img2img", .array(names))])
  }

  @Sendable private func scriptInfo() -> JSONValue {
    .array(
      AlwaysOnScripts.names.map { name in
        .fields([
          ("name", .string(name.lowercased())), ("is_alwayson", .bool(true)), ("is_img2img", .bool(true)),
          ("args", .array(AlwaysOnScripts.arguments(name).map { label, value in
            .fields([
              ("label", .string(label)), ("value", value), ("minimum", .null), ("maximum", .null), ("step", .null),
              ("choices", .null),
            ])
          })),
        ])
      })
  }

  @Sendable private func memory() -> JSONValue {
    let (total, used) = (Int(ProcessInfo.processInfo.physicalMemory), ProcessFacts.residentBytes)
    return .fields([
      ("ram", .fields([("free", .int(total - used)), ("used", .int(used)), ("total", .int(total))])),
      ("cuda", .fields([("error", .string("unavailable"))])),
    ])
  }
}
