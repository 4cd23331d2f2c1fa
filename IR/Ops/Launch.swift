/// Runs a kernel on buffers: inputs first, then the buffers it writes, labelled `into`.
///
/// - Types: those of the kernel; the module verifier compares them.
/// - Gradient: none: only ops of stage tensor are differentiated.
package struct Launch: StructuralOp {
  package static let mnemonic = "launch"
  package static let signature = Signature([], isVariadic: true)
  package static let traits: Traits = .structural
  package var kernel: String
  package var outputCount: Int

  package init(_ kernel: String, outputCount: Int) {
    self.kernel = kernel
    self.outputCount = outputCount
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    guard let kernel = reader.callee else {
      throw OpError("launch.callee", "expected '@kernel' after 'launch'")
    }
    self.kernel = kernel
    outputCount = reader.operandLabels.count { $0 == "into" }
    if outputCount == 0 { throw OpError("launch.outputs", "expected at least one 'into:' buffer") }
  }

  package var callee: String? { kernel }

  package func label(_ index: Int, of count: Int) -> String? {
    index >= count - outputCount ? "into" : nil
  }

  package func acceptsQ8(_ operands: [TensorType], _ results: [TensorType]) -> Bool { true }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] { [] }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    throw error("stage", "buffers have no value; evaluate an earlier stage")
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .none(because: "only ops of stage tensor are differentiated")
  }
}
