import Foundation
import MoscFormats
import MoscIR

/// A Stable-Diffusion-1.x model as diffusers saves it: a folder with one subfolder per part.
///
/// Opening reads `model_index.json` and the configs; what is missing or wrong in a part is reported when
/// the part is asked for, so a folder with the U-Net alone can run the U-Net. Copies share what they
/// have read.
package struct DiffusersModel: Sendable {
  /// A part with weights; the raw value is its subfolder.
  package enum Component: String, CaseIterable, Hashable, Sendable {
    case textEncoder = "text_encoder"
    case unet
    case vae

    /// The file stem of its weights.
    package var stem: String { self == .textEncoder ? "model" : "diffusion_pytorch_model" }
  }

  package let folder: URL
  /// The weights variant to use, such as `fp16`; nil takes what is there.
  package let variant: String?
  /// What changes the model's layers and adds words to it.
  package var adapters = AdapterSet()
  /// What was read so far.
  let parts: ModelParts

  /// Opens a model folder.
  ///
  /// - Throws: `FormatError` when it is not a folder or holds a pipeline of another kind.
  package init(folder: URL, variant: String? = nil) throws {
    self.folder = folder
    self.variant = variant
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: folder.path, isDirectory: &isFolder) else {
      throw FormatError(folder.path, nil, "there is no such model folder")
    }
    guard isFolder.boolValue else {
      throw FormatError(
        folder.path, nil, "expected a folder in diffusers layout, found a file")
    }
    parts = ModelParts(folder)
    try checkIndex()
  }

  /// The model that ships with the program.
  package static func embedded() throws -> DiffusersModel {
    try DiffusersModel(folder: try BundledFolder.find("base"))
  }

  /// The folder of the tokenizer's files.
  package var tokenizerFolder: URL { folder.appending(path: "tokenizer") }

  /// The scheduler's configuration.
  package var schedulerConfig: URL {
    folder.appending(path: "scheduler/scheduler_config.json")
  }

  /// The architecture of the U-Net.
  package func unet() throws -> UNet { try parts.unet.get() }

  /// The architecture of the autoencoder.
  package func vae() throws -> VAE { try parts.vae.get() }

  /// The architecture of the text encoder.
  package func textEncoder() throws -> TextEncoder { try parts.textEncoder.get() }

  /// The tokenizer, without the words of adapters.
  package func tokenizer() throws -> CLIPTokenizer {
    try parts.tokenizers(tokenizerFolder) { try CLIPTokenizer(folder: tokenizerFolder) }
  }

  /// The weights files of a part.
  package func files(_ component: Component) throws -> ComponentFiles {
    try parts.files(component) {
      try ComponentFiles(
        component: component.rawValue, folder: try component.subfolder(of: folder),
        stem: component.stem, variant: variant)
    }
  }

  /// The declarations and tensors that adapters add to a part.
  func additions(
    _ component: Component
  ) -> [(declaration: WeightsDeclaration, source: any WeightSource)] {
    var result: [(WeightsDeclaration, any WeightSource)] = []
    for adapter in adapters.adapters
    where adapter.ranks.keys.contains(where: { $0.network == component.network }) {
      result.append((adapter.declaration, adapter.store))
    }
    if component == .textEncoder, let rows = adapters.rows {
      result.append((AdapterSet.rowsDeclaration, rows.store))
    }
    return result
  }

  /// Refuses pipelines whose parts are not those of Stable Diffusion 1.x and 2.x.
  private func checkIndex() throws {
    let url = folder.appending(path: "model_index.json")
    // A folder without index is accepted: its parts speak for themselves.
    guard FileManager.default.fileExists(atPath: url.path) else { return }
    let index = try JSONObject(contentsOf: url)
    let classes = [
      "unet": "UNet2DConditionModel", "vae": "AutoencoderKL", "text_encoder": "CLIPTextModel",
    ]
    for (part, expected) in classes.sorted(by: { $0.key < $1.key }) {
      guard let found = index[part]?.array?.last, found != .null else { continue }
      guard found.string == expected else {
        throw index.error(part, "expected class \(expected), found \(found)")
      }
    }
    for part in ["text_encoder_2", "transformer"] {
      if let found = index[part]?.array?.last, found != .null {
        throw index.error(part, "found \(found); only Stable Diffusion 1.x and 2.x are supported")
      }
    }
  }
}
