/// A request for derivatives: `∂L/∂x` of a loss by each of the named values.
///
/// `differentiate` replaces it by the reverse-mode computation; nothing evaluates it before.
///
/// - Shapes: loss of one element, values any → one result per value, of its type.
/// - Types: floats.
/// - Errors: `gradient.loss` when the loss has more than one element, `gradient.dtype`.
package struct Gradient: StructuralOp {
  package static let mnemonic = "gradient"
  package static let signature = Signature([nil], isVariadic: true)
  package static let traits: Traits = []

  package init() {}
  package init(reading reader: inout AttributeReader) throws(OpError) {}

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    for type in operands { try expectFloat(type) }
    guard operands[0].count == 1 else {
      throw error("loss", "expected a loss of one element, found \(operands[0])")
    }
    return Array(operands.dropFirst())
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    throw error("request", "a request for gradients must be differentiated before it is evaluated")
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .none(because: "a request for gradients must be differentiated first")
  }
}

extension Graph {
  /// Appends `gradient`: the derivatives of the loss by the values.
  package mutating func gradient(
    _ loss: ValueID, _ values: [ValueID], names: [String?] = []
  ) throws(Diagnostic) -> [ValueID] {
    try append(.gradient(Gradient()), [loss] + values, names: names)
  }
}
