/// Square root: `y = √x`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
/// - Gradient: `dy / 2y`.
package struct Sqrt: UnaryOp {
  package static let mnemonic = "sqrt"

  package init() {}

  package static func apply(_ x: Double) -> Double { x.squareRoot() }

  package func derivative(
    _ x: ValueID, _ y: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    try graph.div(try graph.number(0.5, like: x), y)
  }
}

extension Graph {
  /// Appends `sqrt`.
  package mutating func sqrt(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.sqrt(Sqrt()), [x], name: name)
  }
}
