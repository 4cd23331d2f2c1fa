/// The sigmoid approximation of GELU that CLIP uses: `y = x · σ(1.702 x)`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
/// - Source: Hendrycks & Gimpel 2016, section 2; OpenAI CLIP.
package struct QuickGelu: UnaryOp {
  package static let mnemonic = "quick_gelu"

  package init() {}

  package static func apply(_ x: Double) -> Double { x / (1 + Libm.exp(-1.702 * x)) }
}

extension Graph {
  /// Appends `quick_gelu`.
  package mutating func quickGelu(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.quickGelu(QuickGelu()), [x], name: name)
  }
}
