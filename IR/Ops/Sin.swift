/// Sine: `y = sin x, x in radians`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
/// - Gradient: `cos x · dy`.
package struct Sin: UnaryOp {
  package static let mnemonic = "sin"
  package static let codeLength = 12

  package init() {}

  package static func apply(_ x: Double) -> Double { Libm.sin(x) }

  package func derivative(
    _ x: ValueID, _ y: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    try graph.cos(x)
  }
}

extension Graph {
  /// Appends `sin`.
  package mutating func sin(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.sin(Sin()), [x], name: name)
  }
}
