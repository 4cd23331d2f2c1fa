import MoscEngine

/// Which model, in which arithmetic.
package struct ModelOptions: Hashable, Codable, Sendable {
  /// A model folder or file; nil for the embedded model.
  package var path: String?
  /// A file or folder whose autoencoder replaces the model's own.
  package var vae: String?
  /// A file or folder with a tiny autoencoder, which replaces that.
  package var taesd: String?
  /// The arithmetic; nil for bf16 where the processor has it, else f32.
  package var precision: Precision?
  package var adapters = AdapterOptions()

  /// The file or folder of the autoencoder that pictures are decoded with; nil for the model's own.
  package var autoencoder: String? { taesd ?? vae }

  package init(path: String? = nil, precision: Precision? = nil) {
    self.path = path
    self.precision = precision
  }
}
