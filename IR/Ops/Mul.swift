/// Product: `y = a · b`, elementwise with broadcasting of extents of 1.
///
/// - Shapes: a and b of equal rank → their common shape.
/// - Types: equal element types; float kernels compute in f32.
/// - Errors: `mul.dtype`, `mul.rank`, `mul.shape`.
/// - Gradient: `da = dy · b, db = dy · a`.
package struct Mul: BinaryOp {
  package static let mnemonic = "mul"
  package static var traits: Traits { [.elementwise, .commutative] }

  package init() {}

  package static func apply(_ a: Double, _ b: Double) -> Double { a * b }

  package func partial(
    _ operand: Int, _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    try graph.mul(site.gradient, site.operands[1 - operand])
  }
}

extension Graph {
  /// Appends `mul`.
  package mutating func mul(_ a: ValueID, _ b: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.mul(Mul()), [a, b], name: name)
  }
}
