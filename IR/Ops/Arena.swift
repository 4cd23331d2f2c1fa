/// The memory of a function's intermediate buffers, in stage buffer.
///
/// - Errors: `arena.size` for a negative number of bytes.
/// - Gradient: none: only ops of stage tensor are differentiated.
package struct Arena: StructuralOp {
  package static let mnemonic = "arena"
  package static let signature = Signature([])
  package static let traits: Traits = .structural
  package var byteCount: Int

  package init(byteCount: Int) { self.byteCount = byteCount }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    byteCount = try reader.int("bytes")
  }

  package var attributes: [LabeledAttribute] { [LabeledAttribute("bytes", .int(byteCount))] }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    guard byteCount >= 0 else { throw error("size", "expected a number of bytes, found \(byteCount)") }
    return [TensorType(.u8, [byteCount])]
  }

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
