import Foundation
import MoscFormats
import MoscIR

/// A Stable-Diffusion-1.x model: a folder with one subfolder per part as diffusers saves it, or one
/// file with all parts.
///
/// Opening reads the configs; what is missing or wrong in a part is reported when
/// the part is asked for, so a folder with the U-Net alone can run the U-Net. Copies share what they
/// have read.
package struct DiffusersModel: Sendable {
  /// A part with weights; the raw value is its subfolder in diffusers layout.
  package enum Component: String, CaseIterable, Hashable, Sendable {
    case textEncoder = "text_encoder"
    case unet
    case vae

    /// The file stem of its weights.
    package var stem: String { self == .textEncoder ? "model" : "diffusion_pytorch_model" }
  }

  /// Where its parts lie.
  package let layout: any ModelLayout
  /// What changes the model's layers and adds words to it.
  package var adapters = AdapterSet()
  /// What changes layers of the U-Net in regions of a picture.
  package var regional: RegionalAdapters?
  /// What was read so far.
  let parts: ModelParts

  /// Opens a model folder, or a checkpoint that holds all parts in one file.
  ///
  /// - Parameters:
  ///   - variant: the weights variant of a folder to use, such as `fp16`; nil takes what is there.
  ///   - vae: a file or model folder whose autoencoder replaces the model's own.
  /// - Throws: `FormatError` when it is neither, or holds a pipeline of another kind.
  package init(at url: URL, variant: String? = nil, vae: URL? = nil) throws {
    var layout = try Self.layout(url, variant: variant)
    if let vae { layout = LayoutWithVAE(base: layout, vae: try Self.vaeLayout(vae)) }
    self.layout = layout
    parts = ModelParts(layout)
  }

  private static func layout(_ url: URL, variant: String?) throws -> any ModelLayout {
    switch try isFolder(url) {
    case nil: throw FormatError(url.path, nil, "there is no such model folder or file")
    case true?: try FolderLayout(url, variant: variant)
    case false?: try CheckpointLayout(url)
    }
  }

  private static func vaeLayout(_ url: URL) throws -> any ModelLayout {
    switch try isFolder(url) {
    case nil: throw FormatError(url.path, nil, "there is no such file or folder")
    case true?:
      // The autoencoder's own folder, or that of a whole model.
      try FolderLayout.vae(url)
    case false?:
      if TensorFamily(try WeightFile.open(url)) == .tinyAutoencoder {
        try TinyAutoencoderLayout(url)
      } else {
        try VAELayout(url)
      }
    }
  }

  /// The autoencoder in a file or folder of its own, after checking that its tensors make one.
  package static func autoencoder(at url: URL) throws -> VAE {
    let parts = ModelParts(try vaeLayout(url))
    return try parts.vae.get()
  }

  private static func isFolder(_ url: URL) throws -> Bool? {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
    return exists ? isFolder.boolValue : nil
  }

  /// The model that ships with the program.
  package static func embedded(vae: URL? = nil) throws -> DiffusersModel {
    try DiffusersModel(at: try BundledFiles.folder("base"), vae: vae)
  }

  /// The folder or file that was opened.
  package var url: URL { layout.url }

  /// The architecture of the U-Net.
  package func unet() throws -> UNet { try parts.unet.get() }

  /// The architecture of the autoencoder.
  package func vae() throws -> VAE { try parts.vae.get() }

  /// The architecture of the text encoder.
  package func textEncoder() throws -> TextEncoder { try parts.textEncoder.get() }

  /// The tokenizer, without the words of adapters.
  package func tokenizer() throws -> CLIPTokenizer {
    try parts.tokenizers(url) { try CLIPTokenizer(folder: try layout.tokenizerFolder()) }
  }

  /// The weights files of a part.
  package func files(_ component: Component) throws -> ComponentFiles {
    try parts.files(component) { try layout.files(component) }
  }

  /// The declarations and tensors that adapters add to a part.
  func additions(
    _ component: Component
  ) -> [(declaration: WeightsDeclaration, source: any WeightSource)] {
    var result: [(WeightsDeclaration, any WeightSource)] = []
    for adapter in adapters.adapters
    where adapter.changedLayers.union(adapter.ranks.keys).contains(where: {
      $0.network == component.network
    }) {
      result.append((adapter.declaration, adapter.store))
    }
    if component == .textEncoder, let rows = adapters.rows {
      result.append((AdapterSet.rowsDeclaration, rows.store))
    }
    if component == .unet, let regional {
      result.append((RegionalAdapters.declaration, regional.store))
    }
    return result
  }
}
