/// Absolute value: `y = |x|`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
package struct Abs: UnaryOp {
  package static let mnemonic = "abs"

  package init() {}

  package static func apply(_ x: Double) -> Double { Swift.abs(x) }
}

extension Graph {
  /// Appends `abs`.
  package mutating func abs(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.abs(Abs()), [x], name: name)
  }
}
