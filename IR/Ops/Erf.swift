/// Error function: `y = 2/√π · ∫₀ˣ e^(−t²) dt`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
package struct Erf: UnaryOp {
  package static let mnemonic = "erf"

  package init() {}

  package static func apply(_ x: Double) -> Double { Libm.erf(x) }
}

extension Graph {
  /// Appends `erf`.
  package mutating func erf(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.erf(Erf()), [x], name: name)
  }
}
