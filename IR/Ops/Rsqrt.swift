/// Reciprocal square root: `y = 1/√x`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
package struct Rsqrt: UnaryOp {
  package static let mnemonic = "rsqrt"

  package init() {}

  package static func apply(_ x: Double) -> Double { 1 / x.squareRoot() }
}

extension Graph {
  /// Appends `rsqrt`.
  package mutating func rsqrt(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.rsqrt(Rsqrt()), [x], name: name)
  }
}
