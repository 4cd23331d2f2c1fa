import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks

/// Hashes by which other programs know the files that a picture was drawn with.
enum PictureHashes {
  /// SHA-256 of the model's file, or of the U-Net's in a folder.
  static func model(_ model: DiffusersModel, _ options: CompilationOptions) throws -> String? {
    try model.files(.unet).files.first.map { try hash(URL(filePath: $0.place), options) }
  }

  /// SHA-256 of a large file, which is kept; nil for a folder.
  static func file(_ path: String, _ options: CompilationOptions) throws -> String? {
    let url = URL(fileURLWithPath: path)
    return isFile(url) ? try hash(url, options) : nil
  }

  /// SHA-256 of a small file.
  static func whole(_ path: String) throws -> String { try FileHash.sha256(of: URL(fileURLWithPath: path)) }

  /// What the web UI calls an adapter by: the hash of a safetensors file behind its header, as kohya's
  /// scripts keep it under `sshs_model_hash`; of other files that of the whole.
  static func adapter(_ url: URL) throws -> String {
    guard let file = try? SafetensorsFile(url) else { return try FileHash.sha256(of: url) }
    return try FileHash.sha256(of: url, from: file.dataOffset)
  }

  /// Whether there is a file, and not a folder.
  static func isFile(_ url: URL) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
      && !isFolder.boolValue
  }

  private static func hash(_ url: URL, _ options: CompilationOptions) throws -> String {
    try FileHashes(folder: options.usesCache ? CacheFolder(options.cacheFolder).hashes : nil)
      .sha256(of: url)
  }
}
