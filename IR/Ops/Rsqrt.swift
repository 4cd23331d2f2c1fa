/// Reciprocal square root: `y = 1/√x`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
/// - Gradient: `−y³/2 · dy`.
package struct Rsqrt: UnaryOp {
  package static let mnemonic = "rsqrt"

  package init() {}

  package static func apply(_ x: Double) -> Double { 1 / x.squareRoot() }

  package func derivative(
    _ x: ValueID, _ y: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    try graph.scaled(try graph.mul(y, try graph.mul(y, y)), by: -0.5)
  }
}

extension Graph {
  /// Appends `rsqrt`.
  package mutating func rsqrt(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.rsqrt(Rsqrt()), [x], name: name)
  }
}
