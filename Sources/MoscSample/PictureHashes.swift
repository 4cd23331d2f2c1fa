import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks

/// Hashes by which other programs know the files that a picture was drawn with.
struct PictureHashes {
  /// SHA-256 of the model's file, or of the U-Net's in a folder; nil for the embedded model.
  let model: String?
  /// SHA-256 of another autoencoder's file.
  let vae: String?

  /// - Parameter path: the model's folder or file.
  init(_ path: String?, vae: String? = nil, _ options: CompilationOptions) throws {
    let hashes = FileHashes(
      folder: options.usesCache ? CacheFolder(options.cacheFolder).hashes : nil)
    func hash(_ component: DiffusersModel.Component, _ path: String) throws -> String? {
      let model = try ModelComponents.open(path)
      return try model.files(component).files.first
        .map { try hashes.sha256(of: URL(filePath: $0.place)) }
    }
    model = try path.flatMap { try hash(.unet, $0) }
    self.vae = try vae.flatMap { path in
      let url = URL(fileURLWithPath: path)
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder),
        !isFolder.boolValue
      else { return nil }
      return try hashes.sha256(of: url)
    }
  }

  /// What the web UI calls an adapter by: the hash of a safetensors file behind its header, as kohya's
  /// scripts keep it under `sshs_model_hash`; of other files that of the whole.
  static func adapter(_ url: URL) throws -> String {
    guard let file = try? SafetensorsFile(url) else { return try FileHash.sha256(of: url) }
    return try FileHash.sha256(of: url, from: file.dataOffset)
  }
}
