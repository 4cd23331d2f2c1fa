import Foundation
import MoscDiffusion
import MoscFormats
import MoscModel
import MoscReport

/// Adapter files by name.
package enum AdapterFiles {
  private static let endings = ["safetensors", "pth", "pt", "bin"]

  /// The file of a name in a folder, at full strength.
  ///
  /// - Throws: when no folder is given, or it has no such file, naming the nearest.
  package static func find(_ name: String, in folder: String?) throws -> AdapterRequest {
    guard let folder else {
      throw CommandError.usage(
        "the adapter '\(name)' is asked for; say where adapters are with --lora-model-dir")
    }
    let names = try namesInFolder(URL(fileURLWithPath: folder))
    let files = names.map { URL(fileURLWithPath: $0) }.filter { file in
      // What training programs write is often a folder.
      endings.contains(file.pathExtension.lowercased())
        || AdapterFile.isFolder(URL(fileURLWithPath: "\(folder)/\(file.lastPathComponent)"))
    }
    func stem(_ file: URL) -> String { file.deletingPathExtension().lastPathComponent }
    guard let found = files.first(where: { stem($0) == name || $0.lastPathComponent == name }) else {
      let nearest = NearestName.suggest(name, in: files.map(stem))
      throw CommandError.failure(
        "'\(folder)' has no adapter '\(name)'"
          + (nearest.map { ", did you mean '\($0)'?" } ?? ""))
    }
    return AdapterRequest(path: "\(folder)/\(found.lastPathComponent)")
  }

  /// The file that a prompt's tag names.
  package static func find(_ tag: LoraTag, in folder: String?) throws -> AdapterRequest {
    var request = try find(tag.name, in: folder)
    (request.textEncoder, request.unet) = (tag.textEncoder, tag.unet)
    request.blocks = try tag.blocks.map { try BlockWeights($0) }
    return request
  }
}
