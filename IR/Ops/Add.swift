/// Sum: `y = a + b`, elementwise with broadcasting of extents of 1.
///
/// - Shapes: a and b of equal rank → their common shape.
/// - Types: equal element types; float kernels compute in f32.
/// - Errors: `add.dtype`, `add.rank`, `add.shape`.
/// - Gradient: `da = db = dy`.
package struct Add: BinaryOp {
  package static let mnemonic = "add"
  package static var traits: Traits { [.elementwise, .commutative] }

  package init() {}

  package static func apply(_ a: Double, _ b: Double) -> Double { a + b }

  package func partial(
    _ operand: Int, _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    site.gradient
  }
}

extension Graph {
  /// Appends `add`.
  package mutating func add(_ a: ValueID, _ b: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.add(Add()), [a, b], name: name)
  }
}
