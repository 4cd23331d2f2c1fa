/// Square root: `y = √x`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
package struct Sqrt: UnaryOp {
  package static let mnemonic = "sqrt"

  package init() {}

  package static func apply(_ x: Double) -> Double { x.squareRoot() }
}

extension Graph {
  /// Appends `sqrt`.
  package mutating func sqrt(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.sqrt(Sqrt()), [x], name: name)
  }
}
