/// Conversion of the element type, rounding to nearest even (floats) or truncating (to integers).
///
/// - Shapes: any → the same.
/// - Gradient: `dy` in the operand's type.
package struct Cast: ResultTypedOp, ElementwiseOp {
  package static let mnemonic = "cast"
  package static let repetition = Repetition.free
  package var type: TensorType

  package init(_ type: TensorType) { self.type = type }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    try expectShape(operands[0], type.shape, "an operand")
    return [type]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    [HostTensor(types[0], operands[0].elements)]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .values([try graph.cast(site.gradient, to: graph.type(site.operands[0]).dtype)])
  }
}

extension Graph {
  /// Appends `cast`, or nothing when the type is already right.
  package mutating func cast(
    _ x: ValueID, to dtype: DType, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    type(x).dtype == dtype
      ? x : try emit(.cast(Cast(type(x).with(dtype: dtype))), [x], name: name)
  }
}
