/// Gaussian error linear unit, exact form: `y = x/2 · (1 + erf(x/√2))`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
/// - Source: Hendrycks & Gimpel 2016, eq. 1.
package struct Gelu: UnaryOp {
  package static let mnemonic = "gelu"

  package init() {}

  package static func apply(_ x: Double) -> Double { 0.5 * x * (1 + Libm.erf(x * 0.5.squareRoot())) }
}

extension Graph {
  /// Appends `gelu`.
  package mutating func gelu(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.gelu(Gelu()), [x], name: name)
  }
}
