/// Absolute value: `y = |x|`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
/// - Gradient: `sign(x) · dy`, zero at zero.
package struct Abs: UnaryOp {
  package static let mnemonic = "abs"

  package init() {}

  package static func apply(_ x: Double) -> Double { Swift.abs(x) }

  package func derivative(
    _ x: ValueID, _ y: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let zero = try graph.number(0, like: x)
    let positive = try graph.compare(x, zero, is: .greater)
    let negative = try graph.compare(x, zero, is: .less)
    let minus = try graph.select(negative, try graph.number(-1, like: x), zero)
    return try graph.select(positive, try graph.number(1, like: x), minus)
  }
}

extension Graph {
  /// Appends `abs`.
  package mutating func abs(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.abs(Abs()), [x], name: name)
  }
}
