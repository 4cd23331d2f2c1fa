/// Smaller of two, NaN if either is: `y = min(a, b)`, elementwise with broadcasting of extents of 1.
///
/// - Shapes: a and b of equal rank → their common shape.
/// - Types: equal element types; float kernels compute in f32.
/// - Errors: `minimum.dtype`, `minimum.rank`, `minimum.shape`.
package struct Minimum: BinaryOp {
  package static let mnemonic = "minimum"
  package static var traits: Traits { [.elementwise, .commutative] }

  package init() {}

  package static func apply(_ a: Double, _ b: Double) -> Double { a.isNaN || b.isNaN ? .nan : Swift.min(a, b) }
}

extension Graph {
  /// Appends `minimum`.
  package mutating func minimum(_ a: ValueID, _ b: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.minimum(Minimum()), [a, b], name: name)
  }
}
