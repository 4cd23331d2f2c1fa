/// Cosine: `y = cos x, x in radians`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
/// - Gradient: `−sin x · dy`.
package struct Cos: UnaryOp {
  package static let mnemonic = "cos"
  package static let codeLength = 12

  package init() {}

  package static func apply(_ x: Double) -> Double { Libm.cos(x) }

  package func derivative(
    _ x: ValueID, _ y: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    try graph.neg(try graph.sin(x))
  }
}

extension Graph {
  /// Appends `cos`.
  package mutating func cos(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.cos(Cos()), [x], name: name)
  }
}
