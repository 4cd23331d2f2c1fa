/// Sigmoid-weighted linear unit (swish): `y = x / (1 + e^(−x))`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
/// - Source: Elfwing et al. 2018; Ramachandran et al. 2017.
/// - Gradient: `(s + y (1 − s)) · dy` with `s = sigmoid(x)`.
package struct Silu: UnaryOp {
  package static let mnemonic = "silu"
  package static let codeLength = 6

  package init() {}

  package static func apply(_ x: Double) -> Double { x / (1 + Libm.exp(-x)) }

  package func derivative(
    _ x: ValueID, _ y: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let s = try graph.sigmoid(x)
    let rest = try graph.sub(try graph.number(1, like: x), s)
    return try graph.add(s, try graph.mul(y, rest))
  }
}

extension Graph {
  /// Appends `silu`.
  package mutating func silu(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.silu(Silu()), [x], name: name)
  }
}
