import Foundation
import MoscFormats

/// The local cache of the Hugging Face hub, where Python programs leave the models they have loaded.
///
/// Nothing is downloaded. Source: huggingface_hub, "Understand caching".
package enum ModelHub {
  /// The place of a model that is given as a path, or as `ORGANISATION/NAME` of the hub.
  package static func resolve(_ name: String) throws -> URL {
    let url = URL(fileURLWithPath: name)
    if FileManager.default.fileExists(atPath: url.path) { return url }
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") }) else { return url }
    let folder = "models--\(parts[0])--\(parts[1])"
    for cache in caches {
      let model = cache.appending(path: folder)
      if FileManager.default.fileExists(atPath: model.path) { return model }
    }
    throw FormatError(
      name, nil,
      "there is no such model folder or file, and the hub's cache holds no such model: looked for "
        + "\(folder) in " + caches.map { "'\($0.path)'" }.joined(separator: " and ")
        + "; fetch it with 'hf download \(name)'")
  }

  private static var caches: [URL] {
    let environment = ProcessInfo.processInfo.environment
    func folder(_ variable: String, _ rest: String) -> URL? {
      guard let path = environment[variable], !path.isEmpty else { return nil }
      return URL(fileURLWithPath: path).appending(path: rest)
    }
    let places = [
      folder("HF_HUB_CACHE", ""), folder("HF_HOME", "hub"),
      folder("XDG_CACHE_HOME", "huggingface/hub"), folder("HOME", ".cache/huggingface/hub"),
    ]
    // The first that is set decides, as in the hub's own programs.
    return places.compactMap { $0 }.first.map { [$0] } ?? []
  }
}
