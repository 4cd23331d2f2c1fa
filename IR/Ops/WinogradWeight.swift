/// The filters of a Winograd convolution, transformed: `u[o, i] = G · w[o, i] · Gᵀ`.
///
/// - Shapes: w `[o, i, 3, 3]` → `[o, i, m+2, m+2]`.
/// - Types: float → f32.
/// - Attributes: `outputs`, the edge m of a tile: 2 or 4.
/// - Errors: `winograd-weight.outputs`, `winograd-weight.shape`.
/// - Gradient: that of the decomposition.
/// - Source: see `WinogradTransform`.
package struct WinogradWeight: CompositeOp, KernelOp {
  package static let mnemonic = "winograd_weight"
  package static let signature = Signature([nil])
  package static let traits: Traits = .composite
  package static let kernelKind = KernelKind.loopNest
  package let transform: WinogradTransform

  package init(_ transform: WinogradTransform) { self.transform = transform }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    transform = try WinogradTransform.read(&reader, prefix: Self.errorPrefix)
  }

  package var attributes: [LabeledAttribute] { transform.attributes }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: results[0].count)
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let w = operands[0]
    try expectFloat(w)
    guard w.rank == 4, w.shape[2...] == [3, 3] else {
      throw error("shape", "expected filters of 3×3, found \(w)")
    }
    return [.f32(w.shape[0], w.shape[1], transform.edge, transform.edge)]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let w = operands[0].elements
    return [
      HostTensor(
        types[0],
        stride(from: 0, to: w.count, by: 9).flatMap {
          WinogradTransform.apply(transform.weight, Array(w[$0..<$0 + 9]))
        })
    ]
  }

  package func decompose(
    _ operands: [ValueID], in graph: inout Graph
  ) throws(Diagnostic) -> [ValueID] {
    let matrix = try graph.constant(
      transform.weight.flatMap { $0 }, .f32(transform.edge, 3))
    let filters = try graph.cast(operands[0], to: .f32)
    let rows = try graph.linear(filters, weight: matrix)
    let columns = try graph.linear(
      try graph.transpose(rows, axes: [0, 1, 3, 2]), weight: matrix)
    return [try graph.transpose(columns, axes: [0, 1, 3, 2])]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .none(because: "the algorithm of a convolution is chosen after differentiation")
  }
}
