/// Logistic sigmoid: `y = 1 / (1 + e^(−x))`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
package struct Sigmoid: UnaryOp {
  package static let mnemonic = "sigmoid"

  package init() {}

  package static func apply(_ x: Double) -> Double { 1 / (1 + Libm.exp(-x)) }
}

extension Graph {
  /// Appends `sigmoid`.
  package mutating func sigmoid(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.sigmoid(Sigmoid()), [x], name: name)
  }
}
