/// Larger of two, NaN if either is: `y = max(a, b)`, elementwise with broadcasting of extents of 1.
///
/// - Shapes: a and b of equal rank → their common shape.
/// - Types: equal element types; float kernels compute in f32.
/// - Errors: `maximum.dtype`, `maximum.rank`, `maximum.shape`.
/// - Gradient: `dy` to the chosen operand, half of it to each of two equal ones.
package struct Maximum: BinaryOp {
  package static let mnemonic = "maximum"
  package static var traits: Traits { [.elementwise, .commutative] }

  package init() {}

  package static func apply(_ a: Double, _ b: Double) -> Double { a.isNaN || b.isNaN ? .nan : Swift.max(a, b) }

  package func partial(
    _ operand: Int, _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let (x, other) = (site.operands[operand], site.operands[1 - operand])
    let dy = site.gradient
    let wins = try graph.compare(x, other, is: .greater)
    let ties = try graph.compare(x, other, is: .equal)
    let half = try graph.select(
      ties, try graph.scaled(dy, by: 0.5), try graph.number(0, like: dy))
    return try graph.select(wins, dy, half)
  }
}

extension Graph {
  /// Appends `maximum`.
  package mutating func maximum(_ a: ValueID, _ b: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.maximum(Maximum()), [a, b], name: name)
  }
}
