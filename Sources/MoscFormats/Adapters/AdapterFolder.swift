import Foundation

/// The file of adapters in a folder that a training program wrote.
enum AdapterFolder {
  /// What PEFT and diffusers call the file in every folder.
  static let stems = ["adapter_model", "pytorch_lora_weights"]
  static let settings = "adapter_config.json"

  private static let names = stems.flatMap { ["\($0).safetensors", "\($0).bin"] }

  /// The file in a folder; nil when there is none.
  static func found(in folder: URL) -> URL? {
    names.map { folder.appending(path: $0) }
      .first { FileManager.default.fileExists(atPath: $0.path) }
  }

  /// The file itself, or the one of a folder.
  static func file(_ url: URL) throws(FormatError) -> URL {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder),
      isFolder.boolValue
    else { return url }
    guard let found = found(in: url) else {
      throw FormatError(
        url.path, nil,
        "is a folder without adapter: expected \(names.joined(separator: ", ")) in it")
    }
    return found
  }
}

extension AdapterFile {
  /// Whether a place is a folder with an adapter.
  package static func isFolder(_ url: URL) -> Bool { AdapterFolder.found(in: url) != nil }
}
