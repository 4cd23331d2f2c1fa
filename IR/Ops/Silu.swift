/// Sigmoid-weighted linear unit (swish): `y = x / (1 + e^(−x))`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
/// - Source: Elfwing et al. 2018; Ramachandran et al. 2017.
package struct Silu: UnaryOp {
  package static let mnemonic = "silu"

  package init() {}

  package static func apply(_ x: Double) -> Double { x / (1 + Libm.exp(-x)) }
}

extension Graph {
  /// Appends `silu`.
  package mutating func silu(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.silu(Silu()), [x], name: name)
  }
}
