import Foundation
import MoscFormats
import MoscReport
import Synchronization

/// ControlNets and T2I-Adapters among models, told by what is in the files and known by their names.
final class ConditionNetworks: Sendable {
  enum Kind: Sendable {
    case controlNet, t2iAdapter
  }

  struct Network: Sendable {
    /// The file's or folder's name without its ending.
    var name: String
    var path: String
    var kind: Kind
  }

  /// The folder of models, and the one in which the web UI keeps ControlNets.
  private let folders: [URL]
  /// Kinds that were found, with the size and time of the files then.
  private let known = Mutex<[String: (stamp: String, kind: Kind?)]>([:])

  private static let endings: Set<String> = ["safetensors", "pth", "pt", "ckpt", "bin"]

  init(_ folder: URL?) { folders = folder.map { [$0, $0.appending(path: "ControlNet")] } ?? [] }

  /// All of them.
  func all() throws -> [Network] {
    try folders.filter { FileManager.default.fileExists(atPath: $0.path) }.flatMap { folder in
      try namesInFolder(folder).sorted().filter { !$0.hasPrefix(".") }.compactMap { name in
        let url = folder.appending(path: name)
        return kind(url).map { Network(name: Self.stem(url), path: url.path, kind: $0) }
      }
    }
  }

  private static func stem(_ url: URL) -> String {
    endings.contains(url.pathExtension.lowercased()) ? url.deletingPathExtension().lastPathComponent : url.lastPathComponent
  }

  /// What a file or folder is; nil for a model, and for what cannot be read.
  func kind(_ url: URL) -> Kind? {
    guard let stamp = Self.stamp(url) else { return nil }
    if let found = known.withLock({ $0[url.path] }), found.stamp == stamp { return found.kind }
    let kind = Self.look(url)
    known.withLock { $0[url.path] = (stamp, kind) }
    return kind
  }

  private static func stamp(_ url: URL) -> String? {
    var status = Foundation.stat()
    guard stat(url.path, &status) == 0 else { return nil }
    return "\(status.st_ino) \(status.st_size) \(status.st_mtim.tv_sec) \(status.st_mtim.tv_nsec)"
  }

  private static func look(_ url: URL) -> Kind? {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else { return nil }
    if isFolder.boolValue {
      let config = try? JSONObject(contentsOf: url.appending(path: "config.json"))
      return (try? config?.string("_class_name")) == "ControlNetModel" ? .controlNet : nil
    }
    guard endings.contains(url.pathExtension.lowercased()), let file = try? WeightFile.open(url) else { return nil }
    switch TensorFamily(file) {
    case .controlNet: return .controlNet
    case .t2iAdapter: return .t2iAdapter
    default: return nil
    }
  }
}
