/// Difference: `y = a − b`, elementwise with broadcasting of extents of 1.
///
/// - Shapes: a and b of equal rank → their common shape.
/// - Types: equal element types; float kernels compute in f32.
/// - Errors: `sub.dtype`, `sub.rank`, `sub.shape`.
package struct Sub: BinaryOp {
  package static let mnemonic = "sub"

  package init() {}

  package static func apply(_ a: Double, _ b: Double) -> Double { a - b }
}

extension Graph {
  /// Appends `sub`.
  package mutating func sub(_ a: ValueID, _ b: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.sub(Sub()), [a, b], name: name)
  }
}
