import Foundation
import MoscFormats

/// What a checkpoint says of itself beside its tensors.
///
/// `mosc_model` holds one JSON object with the configurations of a model that is not quite Stable
/// Diffusion 1.x: `unet`, `vae`, `text_encoder`, `scheduler`, `defaults`, `concepts`, `words`. `modelspec.prediction_type` is the public key for
/// v-prediction. Source of the latter: ModelSpec 1.0.1.
struct CheckpointMetadata {
  static let key = "mosc_model"
  private(set) var configs: [String: [JSONValue.Member]] = [:]
  let predictsVelocity: Bool

  init(_ source: any WeightSource, path: String) throws {
    let metadata = (source as? SafetensorsFile)?.metadata ?? [:]
    predictsVelocity = ["v", "v_prediction"].contains(metadata["modelspec.prediction_type"] ?? "")
    guard let text = metadata[Self.key] else { return }
    let value = try JSONValue.parse(Data(text.utf8), path: "\(path), metadata \(Self.key)")
    for member in value.members ?? [] {
      if let members = member.value.members { configs[member.key] = members }
    }
  }
}
