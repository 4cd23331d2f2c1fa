import Foundation

/// Finds the files that a configuration names.
///
/// Configurations of the reference name them relative to its root, not to themselves; so a relative
/// path is looked for in the working folder, then in the configuration's own and those above it.
struct ConfigPaths {
  private let folders: [URL]

  init(config: URL) {
    var folders = [URL(fileURLWithPath: FileManager.default.currentDirectoryPath)]
    var folder = config.standardizedFileURL.deletingLastPathComponent()
    for _ in 0..<12 {
      folders.append(folder)
      if folder.path == "/" { break }
      folder = folder.deletingLastPathComponent()
    }
    self.folders = folders
  }

  /// The file or folder of a path: where it exists, else in the working folder.
  func find(_ path: String) -> URL {
    if path.hasPrefix("/") { return URL(fileURLWithPath: path) }
    let places = folders.map { $0.appending(path: path).standardizedFileURL }
    return places.first { FileManager.default.fileExists(atPath: $0.path) } ?? places[0]
  }
}
