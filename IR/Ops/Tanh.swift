/// Hyperbolic tangent: `y = tanh x`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
package struct Tanh: UnaryOp {
  package static let mnemonic = "tanh"

  package init() {}

  package static func apply(_ x: Double) -> Double { Libm.tanh(x) }
}

extension Graph {
  /// Appends `tanh`.
  package mutating func tanh(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.tanh(Tanh()), [x], name: name)
  }
}
