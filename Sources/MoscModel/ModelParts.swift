import Foundation
import MoscFormats
import Synchronization

/// What is known of the parts of a model, shared by all copies of the model.
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

  init(_ layout: any ModelLayout) {
    func config(_ component: Component) throws -> ConfigReader {
      ConfigReader(try layout.config(component))
    }
    textEncoder = Result { TextEncoder(try TextEncoderConfig(try config(.textEncoder))) }
    unet = Result { UNet(try UNetConfig(try config(.unet))) }
    vae = Result { VAE(try VAEConfig(try config(.vae))) }
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
