/// Sine: `y = sin x, x in radians`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
package struct Sin: UnaryOp {
  package static let mnemonic = "sin"

  package init() {}

  package static func apply(_ x: Double) -> Double { Libm.sin(x) }
}

extension Graph {
  /// Appends `sin`.
  package mutating func sin(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.sin(Sin()), [x], name: name)
  }
}
