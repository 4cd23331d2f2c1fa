/// Hyperbolic tangent: `y = tanh x`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
/// - Gradient: `(1 − y²) · dy`.
package struct Tanh: UnaryOp {
  package static let mnemonic = "tanh"
  package static let codeLength = 6

  package init() {}

  package static func apply(_ x: Double) -> Double { Libm.tanh(x) }

  package func derivative(
    _ x: ValueID, _ y: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    try graph.sub(try graph.number(1, like: x), try graph.mul(y, y))
  }
}

extension Graph {
  /// Appends `tanh`.
  package mutating func tanh(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.tanh(Tanh()), [x], name: name)
  }
}
