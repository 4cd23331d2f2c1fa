/// Logistic sigmoid: `y = 1 / (1 + e^(−x))`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
/// - Gradient: `y (1 − y) · dy`.
package struct Sigmoid: UnaryOp {
  package static let mnemonic = "sigmoid"
  package static let codeLength = 6

  package init() {}

  package static func apply(_ x: Double) -> Double { 1 / (1 + Libm.exp(-x)) }

  package func derivative(
    _ x: ValueID, _ y: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    try graph.mul(y, try graph.sub(try graph.number(1, like: x), y))
  }
}

extension Graph {
  /// Appends `sigmoid`.
  package mutating func sigmoid(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.sigmoid(Sigmoid()), [x], name: name)
  }
}
