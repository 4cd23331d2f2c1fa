import Foundation
import MoscFormats
import Synchronization

/// What is known of the parts of a model folder, shared by all copies of the model.
///
/// Configs are parsed when the model is opened; files are mapped, and compared with what the networks
/// ask for, when that is first wanted. A failure is kept too: it is thrown whenever the part is asked for.
final class ModelParts: Sendable {
  typealias Component = DiffusersModel.Component

  let textEncoder: Result<TextEncoder, any Error>
  let unet: Result<UNet, any Error>
  let vae: Result<VAE, any Error>
  let files = Once<Component, ComponentFiles>()
  let requests = Once<Component, WeightRequests>()
  let weights = Once<Component, PartWeights>()
  /// By folder.
  let tokenizers = Once<URL, CLIPTokenizer>()

  init(_ folder: URL) {
    func config(_ component: Component) throws -> ConfigReader {
      let url = try component.subfolder(of: folder).appending(path: "config.json")
      return ConfigReader(try JSONObject(contentsOf: url))
    }
    textEncoder = Result { TextEncoder(try TextEncoderConfig(try config(.textEncoder))) }
    unet = Result { UNet(try UNetConfig(try config(.unet))) }
    vae = Result { VAE(try VAEConfig(try config(.vae))) }
  }
}

extension DiffusersModel.Component {
  /// - Throws: `FormatError` when there is none.
  func subfolder(of folder: URL) throws(FormatError) -> URL {
    let url = folder.appending(path: rawValue)
    guard FileManager.default.fileExists(atPath: url.path) else {
      throw FormatError(folder.path, nil, "expected a subfolder '\(rawValue)', found none")
    }
    return url
  }
}

/// Values that are made when they are first wanted, and then kept.
final class Once<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private let made = Mutex<[Key: Result<Value, any Error>]>([:])

  func callAsFunction(_ key: Key, _ make: () throws -> Value) throws -> Value {
    try made.withLock { made in
      let result = made[key] ?? Result { try make() }
      made[key] = result
      return try result.get()
    }
  }
}
