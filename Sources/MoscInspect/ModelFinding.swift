import Foundation
import MoscFormats
import MoscIR
import MoscModel
import MoscNetworks
import MoscReport

extension Inspection {
  /// A model: a folder in the layout of diffusers, or one file.
  static func modelFinding(_ model: DiffusersModel, _ path: String) throws -> Finding {
    let isFolder = model.layout is FolderLayout
    var finding = Finding(
      path, isFolder ? .model : .checkpoint, isFolder ? "a model folder in diffusers layout" : "a model in one file")
    var isWhole = true
    var reasons: [String] = []
    for component in DiffusersModel.Component.allCases {
      guard model.has(component) else {
        finding.add(component.rawValue, "not there")
        isWhole = false
        continue
      }
      let summary = try model.summary(component)
      finding.add(component.rawValue, value(summary))
      reasons += summary.unread.map(\.name)
    }
    if finding.facts.allSatisfy({ $0.value.string != nil }) {
      throw FormatError(path, nil, "holds none of unet, vae and text_encoder, nor anything else that mosc reads")
    }
    let words = try model.words().map(\.text)
    finding.add("concept words", words)
    if let learnt = try model.learntWords() {
      finding.add("learnt words", .fields(learnt.groups.map { ($0.name, .array($0.words.map { .string($0) })) }))
    }
    let option = path == "the embedded model" ? "" : " -m \(quoted(path))"
    if isWhole {
      finding.title += ", \(try model.trainedSize()) pixels wide"
      finding.commands = [
        "mosc sample\(option) -p '\(words.isEmpty ? "…" : "a photo of " + words.joined(separator: " "))'",
        "mosc train\(option) …", "mosc fuse\(option) …",
        isFolder ? "mosc convert \(quoted(path)) FILE.safetensors" : "mosc convert \(quoted(path)) FOLDER",
      ]
    } else {
      finding.title += " with some of its parts"
      finding.commands = ["mosc run unet\(option) --in … --out …"]
    }
    return finding
  }

  private static func value(_ summary: ComponentSummary) -> JSONValue {
    let types = summary.dtypes.sorted { $0.key.rawValue < $1.key.rawValue }
    var fields: [(String, JSONValue)] = [
      ("parameters", .int(summary.parameters)), ("tensors", .int(summary.tensors)),
      ("types", .string(types.map { "\($0.value) \($0.key.rawValue)" }.joined(separator: ", "))),
      (Finding.sizeName, .int(summary.bytes)),
    ]
    fields += summary.facts.map { ($0.name, .string($0.value)) }
    if !summary.unread.isEmpty {
      fields.append(
        ("not read", .array(summary.unread.map { .string("\($0.name) (\($0.reason))") })))
    }
    if !summary.ignoredKeys.isEmpty {
      fields.append(
        ("config keys without meaning here", .array(summary.ignoredKeys.map { .string($0) })))
    }
    return .fields(fields)
  }

  /// A path as it stands in a command.
  static func quoted(_ path: String) -> String {
    let isPlain = !path.isEmpty && path.allSatisfy { $0.isLetter || $0.isNumber || "/._-+:,@%".contains($0) }
    return isPlain ? path : "'" + path.replacing("'", with: "'\\''") + "'"
  }

  /// A module of the tensor IR.
  static func moduleFinding(_ module: Module, _ path: String) -> Finding {
    var finding = Finding(path, .module, "a module of the tensor IR in stage \(module.stage.rawValue)")
    finding.add("weights", module.weights.map { "@\($0.name) \($0.path)" })
    for graph in module.graphs {
      let parameters = graph.parameters.map {
        "\(graph[$0].rate.prefix)\(graph[$0].name) \(graph.type($0))"
      }
      let counts = Dictionary(grouping: graph.order) { graph[$0].op.mnemonic }.mapValues(\.count)
      let sorted = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      finding.add(
        "\(graph.kind.rawValue) @\(graph.name)",
        .fields([
          ("parameters", .array(parameters.map { .string($0) })), ("ops", .int(graph.order.count)),
          ("kinds", .string(sorted.map { "\($0.value) \($0.key)" }.joined(separator: ", "))),
        ]))
    }
    let place = quoted(path)
    finding.commands = ["mosc compile \(place)", "mosc opt \(place)", "mosc run \(place) --in … --out …"]
    return finding
  }
}
