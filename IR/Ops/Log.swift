/// Natural logarithm: `y = ln x`.
///
/// - Shapes: x any → the same.
/// - Types: any float; computed in f32 by kernels.
package struct Log: UnaryOp {
  package static let mnemonic = "log"

  package init() {}

  package static func apply(_ x: Double) -> Double { Libm.log(x) }
}

extension Graph {
  /// Appends `log`.
  package mutating func log(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.log(Log()), [x], name: name)
  }
}
