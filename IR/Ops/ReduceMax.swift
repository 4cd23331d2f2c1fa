/// Maximum over axes, which keep extent 1: `y = max x`.
package struct ReduceMax: ReductionOp {
  package static let mnemonic = "reduce_max"
  package static let identity = -Double.infinity
  package var axes: [Int]

  package init(axes: [Int]) { self.axes = axes }

  package static func combine(_ a: Double, _ b: Double) -> Double { max(a, b) }
}

extension Graph {
  /// Appends `reduce_max`.
  package mutating func reduceMax(
    _ x: ValueID, axes: [Int], name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.reduceMax(ReduceMax(axes: axes)), [x], name: name)
  }
}
