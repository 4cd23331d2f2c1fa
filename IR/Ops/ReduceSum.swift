/// Sum over axes, which keep extent 1: `y = Σ x`, in f32 or better.
/// - Gradient: `dy` repeated along the axes.
package struct ReduceSum: ReductionOp {
  package static let mnemonic = "reduce_sum"
  package static let identity = 0.0
  package var axes: [Int]

  package init(axes: [Int]) { self.axes = axes }

  package static func combine(_ a: Double, _ b: Double) -> Double { a + b }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .values([try graph.broadcast(site.gradient, to: graph.type(site.operands[0]).shape)])
  }
}

extension Graph {
  /// Appends `reduce_sum`.
  package mutating func reduceSum(
    _ x: ValueID, axes: [Int], name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.reduceSum(ReduceSum(axes: axes)), [x], name: name)
  }
}
