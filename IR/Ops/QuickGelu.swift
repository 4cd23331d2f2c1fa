/// The sigmoid approximation of GELU that CLIP uses: `y = x · σ(1.702 x)`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
/// - Source: Hendrycks & Gimpel 2016, section 2; OpenAI CLIP.
/// - Gradient: `(s + 1.702 y (1 − s)) · dy` with `s = sigmoid(1.702 x)`.
package struct QuickGelu: UnaryOp {
  package static let mnemonic = "quick_gelu"
  package static let codeLength = 6

  package init() {}

  package static func apply(_ x: Double) -> Double { x / (1 + Libm.exp(-1.702 * x)) }

  package func derivative(
    _ x: ValueID, _ y: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let s = try graph.sigmoid(try graph.scaled(x, by: 1.702))
    let rest = try graph.sub(try graph.number(1, like: x), s)
    return try graph.add(s, try graph.scaled(try graph.mul(y, rest), by: 1.702))
  }
}

extension Graph {
  /// Appends `quick_gelu`.
  package mutating func quickGelu(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.quickGelu(QuickGelu()), [x], name: name)
  }
}
