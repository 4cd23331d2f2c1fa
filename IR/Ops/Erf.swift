/// Error function: `y = 2/√π · ∫₀ˣ e^(−t²) dt`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
/// - Gradient: `2/√π · e^(−x²) · dy`.
package struct Erf: UnaryOp {
  package static let mnemonic = "erf"
  package static let codeLength = 12

  package init() {}

  package static func apply(_ x: Double) -> Double { Libm.erf(x) }

  package func derivative(
    _ x: ValueID, _ y: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let e = try graph.exp(try graph.neg(try graph.mul(x, x)))
    return try graph.scaled(e, by: 2 / Double.pi.squareRoot())
  }
}

extension Graph {
  /// Appends `erf`.
  package mutating func erf(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.erf(Erf()), [x], name: name)
  }
}
