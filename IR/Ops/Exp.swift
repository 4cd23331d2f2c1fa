/// Exponential: `y = eˣ`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
package struct Exp: UnaryOp {
  package static let mnemonic = "exp"

  package init() {}

  package static func apply(_ x: Double) -> Double { Libm.exp(x) }
}

extension Graph {
  /// Appends `exp`.
  package mutating func exp(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.exp(Exp()), [x], name: name)
  }
}
