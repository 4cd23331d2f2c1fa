import MoscDiffusion
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

/// What the studio offers to choose from.
enum NativeCatalog {
  static func json(_ services: Services) throws -> JSONValue {
    let catalog = services.catalog
    let chosen = services.settings.model
    let models = try catalog.models().map { model -> JSONValue in
      // Of a file that is damaged, only its name is known.
      let opened = try? ModelComponents.open(model.path)
      var fields: [(String, JSONValue)] = [
        ("name", .string(model.id)), ("chosen", .bool(model.id == chosen)),
        ("hash", catalog.hash(model).map { .string(String($0.prefix(10))) } ?? .null),
      ]
      if let opened, let size = try? opened.trainedSize(), let defaults = try? ModelDefaults(of: opened) {
        fields += [("size", .int(size)), ("guidance", .double(defaults.guidance))]
        if let words = try opened.learntWords() {
          fields.append(
            ("words", .fields(words.groups.map { ($0.name, .array($0.words.map(JSONValue.string))) })))
        }
        fields.append(("training_steps", .int(defaults.training.steps)))
      }
      return .fields(fields)
    }
    let loras = try catalog.loras().map { name -> JSONValue in
      let words: [String]
      do {
        words = try catalog.words(name, isEmbedding: false).map(\.text)
      } catch {
        words = []
      }
      return .fields([
        ("name", .string(name)), ("stem", .string(stem(name))), ("words", .array(words.map(JSONValue.string))),
      ])
    }
    return .fields([
      ("models", .array(models)), ("loras", .array(loras)),
      ("embeddings", .array(try catalog.embeddings().map { .string(stem($0)) })),
      ("samplers", .array(SamplerName.allCases.map { .string($0.rawValue) })),
      ("schedulers", .array(SchedulerConfig.Levels.allCases.compactMap(\.title).map(JSONValue.string))),
    ])
  }

  /// A file's name without its ending.
  static func stem(_ name: String) -> String {
    name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
  }
}
