/// Literal numbers: one for every element, or one number for the whole tensor.
///
/// - Rate: load.
/// - Errors: `constant.count` when the numbers are neither one nor as many as the elements.
/// - Gradient: none: a constant has no operands.
package struct Constant: StructuralOp {
  package static let mnemonic = "constant"
  package static let signature = Signature([])
  package static let traits: Traits = .source
  package var values: [Double]
  package var type: TensorType

  package init(_ values: [Double], _ type: TensorType) {
    self.values = values
    self.type = type
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    values = try reader.floats(nil)
    type = try reader.resultType()
  }

  package var attributes: [LabeledAttribute] { [LabeledAttribute(nil, .floats(values))] }

  package func alignedOperands(from axis: Int, of count: Int) -> Range<Int>? {
    0..<count
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    if values.count != 1 && values.count != type.count {
      throw error("count", "found \(values.count) numbers for \(type)")
    }
    if !type.dtype.isFloat,
      let bad = values.first(where: { !($0.rounded(.towardZero) == type.dtype.round($0)) })
    {
      throw error("range", "\(bad) is not a number of \(type)")
    }
    return [type]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    values.count == 1
      ? [HostTensor(type, repeating: values[0])] : [HostTensor(type, values)]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .none(because: "a constant has no operands")
  }
}

extension Graph {
  /// Appends `constant` with one number for all elements.
  package mutating func constant(
    _ value: Double, _ type: TensorType, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.constant(Constant([value], type)), [], name: name)
  }

  /// Appends `constant`.
  package mutating func constant(
    _ values: [Double], _ type: TensorType, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.constant(Constant(values, type)), [], name: name)
  }
}
