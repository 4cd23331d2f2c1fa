/// Exponential: `y = eˣ`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
/// - Gradient: `y · dy`.
package struct Exp: UnaryOp {
  package static let mnemonic = "exp"
  package static let codeLength = 6

  package init() {}

  package static func apply(_ x: Double) -> Double { Libm.exp(x) }

  package func derivative(
    _ x: ValueID, _ y: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    y
  }
}

extension Graph {
  /// Appends `exp`.
  package mutating func exp(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.exp(Exp()), [x], name: name)
  }
}
