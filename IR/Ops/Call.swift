/// A call of a kernel or function of the module by name.
///
/// - Types: those of the callee; the module verifier compares them.
/// - Gradient: none: only ops of stage tensor are differentiated.
package struct Call: StructuralOp {
  package static let mnemonic = "call"
  package static let signature = Signature([], isVariadic: true)
  package static let traits: Traits = .structural
  package var name: String
  package var types: [TensorType]

  package init(_ name: String, types: [TensorType]) {
    self.name = name
    self.types = types
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    guard let name = reader.callee else {
      throw OpError("call.callee", "expected '@name' after 'call'")
    }
    self.name = name
    types = reader.resultTypes
  }

  package var callee: String? { name }

  package func acceptsQ8(_ operands: [TensorType], _ results: [TensorType]) -> Bool { true }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] { types }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    try environment.call(name, operands)
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .none(because: "only ops of stage tensor are differentiated")
  }
}
