/// Difference: `y = a − b`, elementwise with broadcasting of extents of 1.
///
/// - Shapes: a and b of equal rank → their common shape.
/// - Types: equal element types; float kernels compute in f32.
/// - Errors: `sub.dtype`, `sub.rank`, `sub.shape`.
/// - Gradient: `da = dy, db = −dy`.
package struct Sub: BinaryOp {
  package static let mnemonic = "sub"

  package init() {}

  package static func apply(_ a: Double, _ b: Double) -> Double { a - b }

  package func partial(
    _ operand: Int, _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    operand == 0 ? site.gradient : try graph.neg(site.gradient)
  }
}

extension Graph {
  /// Appends `sub`.
  package mutating func sub(_ a: ValueID, _ b: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.sub(Sub()), [a, b], name: name)
  }
}
