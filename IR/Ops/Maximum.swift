/// Larger of two, NaN if either is: `y = max(a, b)`, elementwise with broadcasting of extents of 1.
///
/// - Shapes: a and b of equal rank → their common shape.
/// - Types: equal element types; float kernels compute in f32.
/// - Errors: `maximum.dtype`, `maximum.rank`, `maximum.shape`.
package struct Maximum: BinaryOp {
  package static let mnemonic = "maximum"
  package static var traits: Traits { [.elementwise, .commutative] }

  package init() {}

  package static func apply(_ a: Double, _ b: Double) -> Double { a.isNaN || b.isNaN ? .nan : Swift.max(a, b) }
}

extension Graph {
  /// Appends `maximum`.
  package mutating func maximum(_ a: ValueID, _ b: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.maximum(Maximum()), [a, b], name: name)
  }
}
