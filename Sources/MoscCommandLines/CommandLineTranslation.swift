import Foundation
import MoscFormats
import MoscReport
import MoscTrain

/// A command line in which the options of other programs are those of mosc.
package struct CommandLineTranslation: Sendable {
  /// The command line, without the program.
  package private(set) var arguments: [String] = []
  /// What the user should know, one sentence each.
  package private(set) var warnings: [String] = []
  /// What has no effect, with the reasons.
  private var needless: [String] = []
  /// Values of options that mean something together.
  /// The file of options that was read, and its first line.
  private var optionsFile: (path: String, line: Int)?
  private var parts: [String: String] = [:]
  private let options: [String: ForeignOption]
  private let command: String

  /// Options whose value may look like an option.
  private static let verbatim: Set<String> = [
    "-p", "--prompt", "-n", "--negative-prompt", "--negative_prompt", "--prompt-rewrite",
    "--prompt_rewrite", "--t2i-region", "--region", "--preview-prompt", "--mattr",
  ]

  /// Translates a command line.
  ///
  /// - Parameter arguments: without the program; the first is the command.
  /// - Throws: `CommandError.usage` for an option whose feature is not there.
  package init(_ arguments: [String]) throws {
    command = arguments.first ?? ""
    options = Dictionary(
      ForeignOptions.of(command).map { ($0.name, $0) }, uniquingKeysWith: { own, _ in own })
    guard !options.isEmpty else {
      self.arguments = arguments
      return
    }
    self.arguments = [command]
    try translate(Array(arguments.dropFirst()))
    try joinParts()
    if !needless.isEmpty {
      warnings.append("without effect: " + needless.joined(separator: "; "))
    }
  }

  private mutating func translate(_ tokens: [String]) throws {
    var rest = tokens[...]
    while let token = rest.popFirst() {
      if token == "--" {
        arguments += [token] + rest
        return
      }
      if Self.verbatim.contains(token) {
        // The name may be another program's, the value is nobody's business.
        arguments.append(token.replacingOccurrences(of: "_", with: "-"))
        if let value = rest.popFirst() { arguments.append(value) }
        continue
      }
      guard let (name, value) = Self.split(token) else {
        arguments.append(token)
        continue
      }
      if name == "config_file" || name == "config" || name == "opt",
        let file = value ?? rest.first, try expandMainConfiguration(file, always: name == "config_file")
      {
        if value == nil { rest.removeFirst() }
        continue
      }
      guard let option = options[name] else {
        // All options have dashes here, and underscores there.
        let own = "--" + name.replacingOccurrences(of: "_", with: "-")
        arguments.append(token.hasPrefix("--") ? own + (value.map { "=" + $0 } ?? "") : token)
        continue
      }
      try take(option, try Self.values(of: option, value, &rest, token))
    }
  }

  /// The name of an option with its value, if it has one behind `=`; nil for what is no option.
  private static func split(_ token: String) -> (name: String, value: String?)? {
    let isLong = token.hasPrefix("--") && token.count > 2
    // The one long option that is written with one dash.
    guard isLong || token == "-opt" else { return nil }
    let text = token.drop { $0 == "-" }
    let name: Substring = text.prefix { $0 != "=" }
    let value: String? =
      name.endIndex < text.endIndex ? String(text[name.endIndex...].dropFirst()) : nil
    return (String(name).replacingOccurrences(of: "-", with: "_"), value)
  }

  private static func values(
    of option: ForeignOption, _ given: String?, _ rest: inout ArraySlice<String>, _ token: String
  ) throws -> [String] {
    if let given { return [given] }
    switch option.values {
    case .none: return []
    case .one:
      guard let value = rest.popFirst() else { throw CommandError.usage("\(token): expected a value") }
      return [value]
    case .perhaps:
      guard let next = rest.first, !next.hasPrefix("-") else { return [] }
      return [rest.removeFirst()]
    case .many:
      let found = rest.prefix { !$0.hasPrefix("-") }
      rest = rest.dropFirst(found.count)
      return Array(found)
    }
  }

  private mutating func take(_ option: ForeignOption, _ values: [String]) throws {
    switch option.fate {
    case .alias(let name): arguments += [name] + values
    case .translated(_, let translate):
      let translation = try translate(values)
      arguments += translation.arguments
      if let warning = translation.warning { warnings.append(warning) }
    case .part: parts[option.name] = values[0]
    case .needless(let reason): needless.append("--\(option.name) (\(reason))")
    case .refused(let reason, let off):
      if let value = values.first, off.contains(value) { return }
      throw CommandError.usage(
        "--\(option.name) of \(option.program.rawValue) is not supported: \(reason)")
    }
  }

  // MARK: kohya's main configuration

  /// Puts the options of a configuration in place of its name.
  ///
  /// - Parameter always: whether the file can be nothing else; a configuration of a dataset is left.
  private mutating func expandMainConfiguration(_ file: String, always: Bool) throws -> Bool {
    guard command == "train" else { return false }
    var url = URL(fileURLWithPath: file)
    if always, url.pathExtension.isEmpty { url.appendPathExtension("toml") }
    guard url.pathExtension.lowercased() == "toml", always || FileManager.default.fileExists(atPath: file)
    else { return false }
    let root = try ConfigNode.read(url)
    let isDataset = root["datasets"] != nil || root["general"] != nil
    if isDataset {
      if !always { return false }
      throw CommandError.usage(
        "--config_file \(file): it is the configuration of a dataset; give it with --dataset_config")
    }
    // Sections have no meaning there but order for the reader.
    let members = (root.members ?? []).flatMap { $0.node.members ?? [$0] }
    var tokens: [String] = []
    for member in members {
      let values: [String]
      switch member.node.value {
      case .null, .bool(false), .sequence([]): continue
      case .bool(true): values = []
      case .sequence(let elements): values = try elements.map { try Self.text($0, member.key, url) }
      default: values = [try Self.text(member.node, member.key, url)]
      }
      tokens += ["--\(member.key)"] + values
    }
    optionsFile = (url.path, members.first?.node.line ?? 1)
    // What comes later on a command line counts, so the file comes first.
    let later = arguments
    arguments = [command]
    try translate(tokens)
    arguments += later.dropFirst()
    return true
  }

  private static func text(_ node: ConfigNode, _ key: String, _ url: URL) throws -> String {
    switch node.value {
    case .string(let text): return text
    case .bool, .int, .double: return node.description
    default:
      throw FormatError(
        url.path, node.line.map { "line \($0)" }, "'\(key)' is \(node.description), expected a value")
    }
  }

  // MARK: Options that belong together

  private mutating func joinParts() throws {
    switch command {
    case "train": try joinTraining()
    case "fuse": try joinFusing()
    default: try joinDrawing()
    }
  }

  private mutating func joinTraining() throws {
    if let optionsFile, !has("--data", "--config", "--replay-draws"), parts["opt"] == nil {
      throw FormatError(
        optionsFile.path, "line \(optionsFile.line)",
        "holds options of a run, but says nothing of pictures: expected train_data_dir or dataset_config "
          + "there, or --data or --dataset_config beside it")
    }
    if let config = parts["opt"] {
      arguments += ["--config", config]
      if has("-o", "--output") { return }
      // Where the script puts it.
      let root = try ConfigNode.read(URL(fileURLWithPath: config))
      guard case .string(let name)? = root["name"]?.value, !name.isEmpty else {
        throw CommandError.usage("'\(config)' has no 'name': say where the concept goes with --output")
      }
      let folder = "experiments/\(name)/models"
      try Self.makeFolder(folder)
      arguments += ["--output", "\(folder)/edlora_model-latest.pth"]
    }
    guard parts["output_dir"] != nil || parts["output_name"] != nil else { return }
    if has("-o", "--output") {
      throw CommandError.usage("--output and --output_dir or --output_name exclude each other")
    }
    let folder = parts["output_dir"] ?? "."
    try Self.makeFolder(folder)
    arguments += ["--output", "\(folder)/\(parts["output_name"] ?? "last").safetensors"]
  }

  private mutating func joinFusing() throws {
    guard let folder = parts["save_path"] else {
      if parts["suffix"] != nil { throw CommandError.usage("--suffix belongs to --save_path") }
      return
    }
    try Self.makeFolder(folder)
    let name = "\(folder)/combined_model_\(parts["suffix"] ?? "base")"
    arguments += ["--full-model", name]
    if !has("-o", "--output") { arguments += ["--output", "\(name).safetensors"] }
  }

  private mutating func joinDrawing() throws {
    var images = 0
    for kind in ["keypose", "sketch"] {
      let image = parts["\(kind)_condition"] ?? ""
      if image.isEmpty { continue }
      images += 1
      arguments += ["--t2i-image", image, "--t2i-strength", parts["\(kind)_adaptor_weight"] ?? "1.0"]
      arguments += ["--t2i-region", parts["region_\(kind)_adaptor_weight"] ?? ""]
    }
    let adapters = arguments.count { $0 == "--t2i-adapter" || $0.hasPrefix("--t2i-adapter=") }
    if images > adapters {
      throw CommandError.usage(
        "\(images) condition images and \(adapters) adapters: give the files of the T2I-Adapters with "
          + "--t2i-adapter, that of poses before that of sketches")
    }
    guard let folder = parts["save_dir"] else {
      if parts["suffix"] != nil { throw CommandError.usage("--suffix belongs to --save_dir") }
      return
    }
    // What the script has written down.
    let seed = value(of: "-s", "--seed") ?? "16141"
    if !has("-s", "--seed") { arguments += ["--seed", seed] }
    if !has("--steps") { arguments += ["--steps", "50"] }
    if !has("--cfg-scale", "--guidance-scale") { arguments += ["--cfg-scale", "7.5"] }
    let prompt = (value(of: "-p", "--prompt") ?? "photo of a toy")
    if !has("-p", "--prompt") { arguments += ["--prompt", prompt] }
    let name = prompt.map { $0 == " " || $0 == "/" || $0 == "%" ? "_" : String($0) }.joined()
    let place = "\(folder)/seed_\(seed)"
    try Self.makeFolder(place)
    arguments += ["--output", "\(place)/\(name.prefix(100))---\(parts["suffix"] ?? "").png"]
  }

  private func has(_ names: String...) -> Bool {
    arguments.contains { token in names.contains { token == $0 || token.hasPrefix("\($0)=") } }
  }

  private func value(of names: String...) -> String? {
    for (index, token) in arguments.enumerated() {
      for name in names {
        if token == name, index + 1 < arguments.count { return arguments[index + 1] }
        if token.hasPrefix("\(name)=") { return String(token.dropFirst(name.count + 1)) }
      }
    }
    return nil
  }

  /// The other programs make the folders of their results.
  private static func makeFolder(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw CommandError.failure("cannot make the folder '\(path)': \(error.plainDescription)")
    }
  }
}
