/// Choice: `y = c ≠ 0 ? a : b`, elementwise with broadcasting.
///
/// - Types: c u8; a and b of equal element type.
/// - Gradient: `dy` to the chosen operand, zero to the other.
package struct Select: ElementwiseOp {
  package static let mnemonic = "select"
  package static let signature = Signature([nil, nil, nil])

  package init() {}
  package init(reading reader: inout AttributeReader) throws(OpError) {}

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    guard operands[0].dtype == .u8 else {
      throw error("dtype", "expected a u8 condition, found \(operands[0])")
    }
    if operands[1].dtype != operands[2].dtype {
      throw error("dtype", "operand types differ: \(operands[1]) and \(operands[2])")
    }
    return [try broadcastType([operands[1], operands[2], operands[0]])]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let (c, a, b) = (operands[0], operands[1], operands[2])
    return [
      HostTensor(types[0]) { c.broadcast($0) != 0 ? a.broadcast($0) : b.broadcast($0) }
    ]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    try site.each { (operand, x) throws(Diagnostic) -> ValueID? in
      if operand == 0 { return nil }
      let (c, dy) = (site.operands[0], site.gradient)
      let zero = try graph.number(0, like: dy)
      let chosen =
        operand == 1 ? try graph.select(c, dy, zero) : try graph.select(c, zero, dy)
      return try graph.sum(chosen, to: graph.type(x).shape)
    }
  }
}

extension Graph {
  /// Appends `select`.
  package mutating func select(
    _ condition: ValueID, _ a: ValueID, _ b: ValueID, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.select(Select()), [condition, a, b], name: name)
  }
}
