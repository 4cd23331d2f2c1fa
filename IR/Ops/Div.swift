/// Quotient: `y = a / b`, elementwise with broadcasting of extents of 1.
///
/// - Shapes: a and b of equal rank → their common shape.
/// - Types: equal element types; float kernels compute in f32.
/// - Errors: `div.dtype`, `div.rank`, `div.shape`.
/// - Gradient: `da = dy / b, db = −dy · y / b`.
package struct Div: BinaryOp {
  package static let mnemonic = "div"

  package init() {}

  package static func apply(_ a: Double, _ b: Double) -> Double { a / b }

  package func partial(
    _ operand: Int, _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let quotient = try graph.div(site.gradient, site.operands[1])
    return operand == 0
      ? quotient : try graph.neg(try graph.mul(quotient, site.result))
  }
}

extension Graph {
  /// Appends `div`.
  package mutating func div(_ a: ValueID, _ b: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.div(Div()), [a, b], name: name)
  }
}
