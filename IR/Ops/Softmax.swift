/// Softmax over the last axis: `y = e^(x − max x) / Σ e^(x − max x)`.
///
/// - Types: f32 or bf16 → the same; computed in f32.
/// - Gradient: `y · (dy − Σ dy · y)`.
package struct Softmax: CompositeOp, KernelOp {
  package static let mnemonic = "softmax"
  package static let signature = Signature([nil])
  package static let traits: Traits = [.reduction, .composite]
  package static let kernelKind = KernelKind.rows

  package init() {}
  package init(reading reader: inout AttributeReader) throws(OpError) {}

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    // Measured in rows of 1024: 4 copies, of which the exponential is one.
    OpCost(flops: results[0].count, time: 6)
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    try expectFloat(operands[0])
    if operands[0].rank == 0 { throw error("rank", "expected at least one axis") }
    return [operands[0]]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    var result = operands[0].elements
    let width = types[0].lastExtent
    for row in 0..<types[0].rows {
      let range = row * width..<(row + 1) * width
      let top = result[range].max() ?? 0
      for i in range { result[i] = Libm.exp(result[i] - top) }
      let sum = result[range].reduce(0, +)
      for i in range { result[i] /= sum }
    }
    return [HostTensor(types[0], result)]
  }

  package func decompose(
    _ operands: [ValueID], in graph: inout Graph
  ) throws(Diagnostic) -> [ValueID] {
    let last = graph.type(operands[0]).rank - 1
    let top = try graph.reduceMax(operands[0], axes: [last])
    let e = try graph.exp(try graph.sub(operands[0], top))
    return [try graph.div(e, try graph.reduceSum(e, axes: [last]))]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    let (y, dy) = (site.result, site.gradient)
    let last = graph.type(y).rank - 1
    let mean = try graph.reduceSum(try graph.mul(dy, y), axes: [last])
    return .values([try graph.mul(y, try graph.sub(dy, mean))])
  }
}

extension Graph {
  /// Appends `softmax`.
  package mutating func softmax(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.softmax(Softmax()), [x], name: name)
  }
}
