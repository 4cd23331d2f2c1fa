/// Maximum over axes, which keep extent 1: `y = max x`.
/// - Gradient: `dy` to the largest element, shared evenly among equal ones.
package struct ReduceMax: ReductionOp {
  package static let mnemonic = "reduce_max"
  package static let identity = -Double.infinity
  package var axes: [Int]

  package init(axes: [Int]) { self.axes = axes }

  package static func combine(_ a: Double, _ b: Double) -> Double { max(a, b) }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    let (x, dy) = (site.operands[0], site.gradient)
    let isLargest = try graph.compare(x, site.result, is: .equal)
    let zero = try graph.number(0, like: x)
    let ones = try graph.select(isLargest, try graph.number(1, like: x), zero)
    let share = try graph.div(dy, try graph.reduceSum(ones, axes: axes))
    return .values([try graph.mul(ones, share)])
  }
}

extension Graph {
  /// Appends `reduce_max`.
  package mutating func reduceMax(
    _ x: ValueID, axes: [Int], name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.reduceMax(ReduceMax(axes: axes)), [x], name: name)
  }
}
