/// Gated linear unit with GELU: the last axis holds values, then gates: `y = a · gelu(g)`.
///
/// - Shapes: x `[…, 2c]` → `[…, c]`. Errors: `geglu.channels` when the last extent is odd.
/// - Source: Shazeer 2020; value and gate order as in diffusers.
/// - Gradient: `da = dy · gelu(g), dg = dy · a · gelu′(g)`.
package struct Geglu: CompositeOp, KernelOp {
  package static let mnemonic = "geglu"
  package static let signature = Signature([nil])
  package static let traits: Traits = .composite
  package static let kernelKind = KernelKind.gated

  package init() {}
  package init(reading reader: inout AttributeReader) throws(OpError) {}

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: results[0].count)
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let x = operands[0]
    try expectFloat(x)
    guard x.rank >= 1, x.lastExtent % 2 == 0 else {
      throw error("channels", "expected an even last extent, found \(x)")
    }
    return [x.with(shape: x.shape.dropLast() + [x.lastExtent / 2])]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let x = operands[0].elements
    let width = types[0].lastExtent
    return [
      HostTensor(
        types[0],
        (0..<types[0].count).map { i in
          let start = i / width * 2 * width + i % width
          return x[start] * Gelu.apply(x[start + width])
        })
    ]
  }

  package func decompose(
    _ operands: [ValueID], in graph: inout Graph
  ) throws(Diagnostic) -> [ValueID] {
    let type = graph.type(operands[0])
    let (axis, width) = (type.rank - 1, type.lastExtent / 2)
    let value = try graph.slice(operands[0], axis: axis, from: 0, to: width)
    let gate = try graph.slice(operands[0], axis: axis, from: width, to: 2 * width)
    return [try graph.mul(value, try graph.gelu(gate))]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    let (x, dy) = (site.operands[0], site.gradient)
    let (axis, width) = (graph.type(x).rank - 1, graph.type(dy).lastExtent)
    let value = try graph.slice(x, axis: axis, from: 0, to: width)
    let gate = try graph.slice(x, axis: axis, from: width, to: 2 * width)
    let slope = try Gelu().derivative(gate, gate, in: &graph)
    let values = try graph.mul(dy, try graph.gelu(gate))
    let gates = try graph.mul(try graph.mul(dy, value), slope)
    return .values([try graph.concat([values, gates], axis: axis)])
  }
}

extension Graph {
  /// Appends `geglu`.
  package mutating func geglu(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.geglu(Geglu()), [x], name: name)
  }
}
