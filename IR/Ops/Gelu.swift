/// Gaussian error linear unit, exact form: `y = x/2 · (1 + erf(x/√2))`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
/// - Source: Hendrycks & Gimpel 2016, eq. 1.
/// - Gradient: `(Φ(x) + x φ(x)) · dy` with the normal distribution Φ and its density φ.
package struct Gelu: UnaryOp {
  package static let mnemonic = "gelu"
  package static let codeLength = 12

  package init() {}

  package static func apply(_ x: Double) -> Double { 0.5 * x * (1 + Libm.erf(x * 0.5.squareRoot())) }

  package func derivative(
    _ x: ValueID, _ y: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let scaled = try graph.scaled(x, by: 0.5.squareRoot())
    let half = try graph.scaled(
      try graph.add(try graph.erf(scaled), try graph.number(1, like: x)), by: 0.5)
    let density = try graph.exp(try graph.neg(try graph.mul(scaled, scaled)))
    let slope = try graph.scaled(
      try graph.mul(x, density), by: 1 / (2 * Double.pi).squareRoot())
    return try graph.add(half, slope)
  }
}

extension Graph {
  /// Appends `gelu`.
  package mutating func gelu(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.gelu(Gelu()), [x], name: name)
  }
}
