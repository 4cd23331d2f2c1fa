/// Natural logarithm: `y = ln x`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
/// - Gradient: `dy / x`.
package struct Log: UnaryOp {
  package static let mnemonic = "log"
  package static let codeLength = 12

  package init() {}

  package static func apply(_ x: Double) -> Double { Libm.log(x) }

  package func derivative(
    _ x: ValueID, _ y: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    try graph.div(try graph.number(1, like: x), x)
  }
}

extension Graph {
  /// Appends `log`.
  package mutating func log(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.log(Log()), [x], name: name)
  }
}
