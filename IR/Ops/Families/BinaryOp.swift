/// An elementwise function of two operands of equal element type and rank, where extents of 1
/// broadcast: `y[i] = f(a[i], b[i])`.
package protocol BinaryOp: ElementwiseOp {
  init()
  /// The function in f64.
  static func apply(_ a: Double, _ b: Double) -> Double
  /// The gradient of one operand in the shape of the result.
  func partial(
    _ operand: Int, _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID
}

extension BinaryOp {
  package static var signature: Signature { Signature([nil, nil]) }

  package init(reading reader: inout AttributeReader) throws(OpError) { self.init() }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    if operands[0].dtype != operands[1].dtype {
      throw error("dtype", "operand types differ: \(operands[0]) and \(operands[1])")
    }
    return [try broadcastType(operands)]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let (a, b) = (operands[0], operands[1])
    return [HostTensor(types[0]) { Self.apply(a.broadcast($0), b.broadcast($0)) }]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    try site.each { (operand, x) throws(Diagnostic) -> ValueID? in
      let whole = try partial(operand, site, in: &graph)
      return try graph.sum(whole, to: graph.type(x).shape)
    }
  }
}

extension TensorOp {
  /// The common shape of operands of equal rank whose extents agree or are 1.
  package func broadcastType(_ operands: [TensorType]) throws(OpError) -> TensorType {
    var shape = operands[0].shape
    for type in operands.dropFirst() {
      guard type.rank == shape.count else {
        throw error("rank", "operand ranks differ: \(operands[0]) and \(type)")
      }
      for axis in shape.indices where shape[axis] != type.shape[axis] {
        if shape[axis] == 1 {
          shape[axis] = type.shape[axis]
        } else if type.shape[axis] != 1 {
          throw error(
            "shape", "axis \(axis) does not broadcast: \(operands[0]) and \(type)")
        }
      }
    }
    return operands[0].with(shape: shape)
  }
}
