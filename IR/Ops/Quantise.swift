/// Each row rounded to 8-bit integers with a scale of its own: `y = s·round(x/s)`, `s = max|x|/127`
/// over the last axis.
///
/// - Types: float → q8 of the same shape, which contractions take.
/// - Errors: `quantise.dtype`, `quantise.rank`.
/// - Gradient: none: layers are rounded after differentiation.
/// - Source: see `QuantisedRow`; a scale per token as in Yao et al. 2022 (ZeroQuant).
package struct Quantise: KernelOp {
  package static let mnemonic = "quantise"
  package static let signature = Signature([nil])
  package static let traits: Traits = .reduction
  package static let kernelKind = KernelKind.rows

  package init() {}
  package init(reading reader: inout AttributeReader) throws(OpError) {}

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: results[0].count)
  }

  package func acceptsQ8(_ operands: [TensorType], _ results: [TensorType]) -> Bool { true }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    try expectFloat(operands[0])
    if operands[0].rank == 0 { throw error("rank", "expected at least one axis") }
    return [TensorType(.q8, operands[0].shape)]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let width = types[0].lastExtent
    let rows = (0..<types[0].rows).map { operands[0].elements[$0 * width..<($0 + 1) * width] }
    return [HostTensor(types[0], rows.flatMap { QuantisedRow($0).numbers })]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .none(because: "layers are rounded after differentiation")
  }
}

extension Graph {
  /// Appends `quantise`.
  package mutating func quantise(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.quantise(Quantise()), [x], name: name)
  }
}
