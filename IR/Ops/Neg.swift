/// Negation: `y = −x`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
/// - Gradient: `−dy`.
package struct Neg: UnaryOp {
  package static let mnemonic = "neg"

  package init() {}

  package static func apply(_ x: Double) -> Double { -x }

  package func derivative(
    _ x: ValueID, _ y: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    try graph.number(-1, like: x)
  }
}

extension Graph {
  /// Appends `neg`.
  package mutating func neg(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.neg(Neg()), [x], name: name)
  }
}
