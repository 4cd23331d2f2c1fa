import Foundation
import MoscEngine
import MoscFormats
import MoscIR
import MoscImages
import MoscModel
import MoscReport

/// `mosc inspect`: what is in a model folder, a safetensors file, a picture or a `.mos` file.
package struct Inspection: Sendable {
  /// The findings as lines.
  package let text: String

  /// - Throws: what is wrong with the file, naming it.
  package init(_ path: String?) throws {
    var isFolder: ObjCBool = false
    guard let path else {
      text = try Self.model(.embedded(), "the embedded model")
      return
    }
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw CommandError.failure("cannot read '\(path)': there is no such file or folder")
    }
    let url = URL(fileURLWithPath: path)
    if isFolder.boolValue {
      text = try Self.model(DiffusersModel(at: url), path)
    } else if path.hasSuffix(".mos") {
      text = Self.module(try ModuleFile.read(path), path)
    } else if path.lowercased().hasSuffix(".png") {
      text = try Self.picture(url, path)
    } else {
      text = Self.tensors(try SafetensorsFile(url), path)
    }
  }

  private static func model(_ model: DiffusersModel, _ name: String) throws -> String {
    var lines = [name]
    for component in DiffusersModel.Component.allCases {
      if model.layout is FolderLayout,
        !FileManager.default.fileExists(
          atPath: model.url.appending(path: component.rawValue).path)
      {
        lines.append("\(component.rawValue): not there")
        continue
      }
      let summary = try model.summary(component)
      let types = summary.dtypes.sorted { $0.key.rawValue < $1.key.rawValue }
        .map { "\($0.value) \($0.key.rawValue)" }.joined(separator: ", ")
      lines.append(
        "\(component.rawValue): \(summary.parameters) parameters in \(summary.tensors) tensors "
          + "(\(types)), \(megabytes(summary.bytes)); every tensor is used or explained")
      for fact in summary.facts { lines.append("  \(fact.name): \(fact.value)") }
      for entry in summary.unread { lines.append("  not read: \(entry.name), \(entry.reason)") }
      if !summary.ignoredKeys.isEmpty {
        lines.append("  config keys without meaning here: "
          + summary.ignoredKeys.joined(separator: ", "))
      }
    }
    return lines.joined(separator: "\n")
  }

  private static func picture(_ url: URL, _ path: String) throws -> String {
    let (image, texts) = try PNG.read(url)
    var lines = ["\(path): \(image.width)x\(image.height), \(image.channels) channels"]
    for (keyword, text) in texts { lines.append("\(keyword):\n\(text)") }
    return lines.joined(separator: "\n")
  }

  private static func tensors(_ file: SafetensorsFile, _ path: String) -> String {
    let bytes = file.entries.reduce(0) { $0 + $1.range.count }
    var lines = ["\(path): \(file.entries.count) tensors, \(megabytes(bytes))"]
    for (key, value) in file.metadata.sorted(by: { $0.key < $1.key }) {
      lines.append("  \(key) = \(value)")
    }
    for entry in file.entries.sorted(by: { $0.name < $1.name }) {
      lines.append("  \(entry.name): \(entry.dtype.rawValue)\(entry.shape)")
    }
    return lines.joined(separator: "\n")
  }

  private static func module(_ module: Module, _ path: String) -> String {
    var lines = ["\(path): stage \(module.stage.rawValue)"]
    for weights in module.weights { lines.append("  weights @\(weights.name) \(weights.path)") }
    for graph in module.graphs {
      let parameters = graph.parameters.map {
        "\(graph[$0].rate.prefix)\(graph[$0].name) \(graph.type($0))"
      }
      lines.append(
        "  \(graph.kind.rawValue) @\(graph.name)(\(parameters.joined(separator: ", "))): "
          + "\(graph.order.count) ops")
      let counts = Dictionary(grouping: graph.order) { graph[$0].op.mnemonic }.mapValues(\.count)
      let sorted = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      lines.append("    " + sorted.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
    }
    return lines.joined(separator: "\n")
  }

  private static func megabytes(_ bytes: Int) -> String {
    String(format: "%.1f MB", Double(bytes) / 1e6)
  }
}
