import Foundation
import MoscEngine
import MoscFormats
import MoscTrain

extension Inspection {
  /// More than this is no text that mosc reads or writes.
  private static let mostBytes = 1 << 28

  /// A text of any kind; nil for what is no text.
  static func textFinding(_ url: URL, _ path: String) throws -> Finding? {
    guard try size(url) <= mostBytes, let text = String(data: try readFile(url), encoding: .utf8),
      !text.utf8.contains(0)
    else { return nil }
    let ending = url.pathExtension.lowercased()
    let start = text.drop(while: \.isWhitespace)
    if ending == "mos" || start.hasPrefix("mosc ") { return moduleFinding(try ModuleFile.read(path), path) }
    if path.hasSuffix(".jsonl") { return try logFinding(text, path) }
    if ["json"].contains(ending) || start.hasPrefix("{") || start.hasPrefix("[{") {
      return try jsonFinding(text, path)
    }
    if ["yml", "yaml", "toml"].contains(ending) { return try configurationFinding(url, path) }
    if start.hasPrefix("<svg") { return Finding(path, .report, "a drawing, such as the loss of a training run") }
    if start.lowercased().hasPrefix("<!doctype html") {
      return Finding(path, .page, "a page to look at in a browser")
    }
    if ending == "ll" || start.hasPrefix("; kernel @") || start.hasPrefix("; ModuleID") {
      return Finding(path, .code, "LLVM IR of kernels")
    }
    if ending == "s" || start.hasPrefix("# kernel @") { return Finding(path, .code, "assembly of kernels") }
    guard ending == "txt" || ending == "caption" else { return nil }
    let lines = text.split(whereSeparator: \.isNewline)
    var finding = Finding(path, .text, "a text of \(lines.count) lines: a caption, or prompts")
    finding.add("first line", lines.first.map(String.init))
    finding.commands = ["mosc sample --prompt-file \(quoted(path))"]
    return finding
  }

  /// The log of a training run: a JSON object in each line.
  private static func logFinding(_ text: String, _ path: String) throws -> Finding {
    let lines = text.split(whereSeparator: \.isNewline)
    let rows = try lines.enumerated().compactMap { index, line -> [JSONValue.Member]? in
      do {
        return try JSONValue.parse(line.utf8, path: path).members
      } catch where index == lines.count - 1 {
        // A kill cuts the last line short.
        return nil
      }
    }
    func value(_ row: [JSONValue.Member]?, _ key: String) -> JSONValue? { row?.first { $0.key == key }?.value }
    var finding = Finding(path, .log, "the log of a training run, \(rows.count) lines")
    finding.add("last step", value(rows.last, "step"))
    finding.add("first loss", value(rows.first { value($0, "loss") != nil }, "loss"))
    finding.add("last loss", value(rows.last { value($0, "loss") != nil }, "loss"))
    finding.add("seconds", value(rows.last { value($0, "seconds") != nil }, "seconds"))
    finding.add("fields", rows.last?.map(\.key) ?? [])
    return finding
  }

  /// JSON of any of the kinds that are read or written.
  private static func jsonFinding(_ text: String, _ path: String) throws -> Finding {
    let value = try JSONValue.parse(text.utf8, path: path)
    let place = quoted(path)
    func has(_ keys: String...) -> Bool { keys.allSatisfy { value[$0] != nil } }
    if let list = value.array ?? value["regions"]?.array, list.contains(where: { $0["lora_path"] != nil }) == false,
      list.contains(where: { $0["prompt"] != nil || $0["box"] != nil })
    {
      var finding = Finding(path, .scene, "a scene of \(list.count) regions")
      finding.add("regions", .array(list))
      finding.commands = ["mosc sample --regions \(place) -p '…'"]
      return finding
    }
    if let list = value.array, list.contains(where: { $0["lora_path"] != nil }) {
      var finding = Finding(path, .configuration, "a Mix-of-Show configuration of \(list.count) concepts to fuse")
      finding.add("concepts", .array(list))
      finding.commands = ["mosc fuse \(place) -m MODEL"]
      return finding
    }
    if has("phases", "layers") {
      var finding = Finding(path, .report, "the report of a fusion")
      finding.add("layers", value["layers"]?.array?.count ?? 0)
      finding.add("settings", value["settings"])
      finding.add("notes", value["notes"])
      finding.add("phases", value["phases"])
      return finding
    }
    if has("traceEvents") {
      var finding = Finding(path, .report, "a time trace, for chrome://tracing or ui.perfetto.dev")
      finding.add("events", value["traceEvents"]?.array?.count ?? 0)
      return finding
    }
    let kind = has("_class_name") ? "the configuration of a part of a model"
      : has("peft_type") ? "the configuration of a PEFT adapter" : "JSON"
    var finding = Finding(path, .configuration, kind)
    finding.add("keys", value.members?.map(\.key) ?? [])
    finding.add("entries", value.array.map { .int($0.count) })
    finding.add("class", value["_class_name"])
    return finding
  }

  /// A configuration of a training run.
  private static func configurationFinding(_ url: URL, _ path: String) throws -> Finding {
    let node = try ConfigNode.read(url)
    let isKohya = url.pathExtension.lowercased() == "toml"
    var finding = Finding(path, .configuration, "a training configuration as \(isKohya ? "kohya's" : "Mix-of-Show's") tools read it")
    finding.add("keys", node.members?.map(\.key) ?? [])
    finding.commands = ["mosc train --config \(quoted(path)) -m MODEL -o FILE.safetensors"]
    return finding
  }
}
