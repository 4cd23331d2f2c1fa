/// A buffer at a byte offset of an arena, in stage buffer.
///
/// - Errors: `subview.range` when it starts or ends outside the arena; `subview.align`.
/// - Gradient: none: only ops of stage tensor are differentiated.
package struct Subview: StructuralOp {
  package static let mnemonic = "subview"
  package static let signature = Signature([nil])
  package static let traits: Traits = .structural
  package var offset: Int
  package var type: TensorType

  package init(offset: Int, type: TensorType) {
    self.offset = offset
    self.type = type
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    offset = try reader.int("at")
    type = try reader.resultType()
  }

  package var attributes: [LabeledAttribute] { [LabeledAttribute("at", .int(offset))] }

  package func acceptsQ8(_ operands: [TensorType], _ results: [TensorType]) -> Bool { true }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    if offset % 64 != 0 { throw error("align", "offset \(offset) is not a multiple of 64") }
    guard operands[0].dtype == .u8, offset >= 0, offset + type.byteCount() <= operands[0].count else {
      throw error(
        "range", "\(type) at \(offset) ends at \(offset + type.byteCount()) of \(operands[0])")
    }
    return [type]
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
