import MoscEngine

/// Which model, in which arithmetic.
package struct ModelOptions: Hashable, Sendable {
  /// A model folder; nil for the embedded model.
  package var path: String?
  /// The arithmetic; nil for bf16 where the processor has it, else f32.
  package var precision: Precision?
  package var adapters = AdapterOptions()

  package init(path: String? = nil, precision: Precision? = nil) {
    self.path = path
    self.precision = precision
  }
}
