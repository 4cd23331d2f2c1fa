/// Negation: `y = −x`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
package struct Neg: UnaryOp {
  package static let mnemonic = "neg"

  package init() {}

  package static func apply(_ x: Double) -> Double { -x }
}

extension Graph {
  /// Appends `neg`.
  package mutating func neg(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.neg(Neg()), [x], name: name)
  }
}
