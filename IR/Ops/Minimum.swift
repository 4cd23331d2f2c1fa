/// Smaller of two, NaN if either is: `y = min(a, b)`, elementwise with broadcasting of extents of 1.
///
/// - Shapes: a and b of equal rank → their common shape.
/// - Types: equal element types; float kernels compute in f32.
/// - Errors: `minimum.dtype`, `minimum.rank`, `minimum.shape`.
/// - Gradient: `dy` to the chosen operand, half of it to each of two equal ones.
package struct Minimum: BinaryOp {
  package static let mnemonic = "minimum"
  package static var traits: Traits { [.elementwise, .commutative] }

  package init() {}

  package static func apply(_ a: Double, _ b: Double) -> Double { a.isNaN || b.isNaN ? .nan : Swift.min(a, b) }

  package func partial(
    _ operand: Int, _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let (x, other) = (site.operands[operand], site.operands[1 - operand])
    let dy = site.gradient
    let wins = try graph.compare(x, other, is: .less)
    let ties = try graph.compare(x, other, is: .equal)
    let half = try graph.select(
      ties, try graph.scaled(dy, by: 0.5), try graph.number(0, like: dy))
    return try graph.select(wins, dy, half)
  }
}

extension Graph {
  /// Appends `minimum`.
  package mutating func minimum(_ a: ValueID, _ b: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.minimum(Minimum()), [a, b], name: name)
  }
}
