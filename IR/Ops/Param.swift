/// A weight from a declared weights file, in the file's layout and element type.
///
/// - Rate: load.
/// - Errors: `param.missing` when evaluated without that weight.
/// - Gradient: none: a weight has no operands.
package struct Param: StructuralOp {
  package static let mnemonic = "param"
  package static let signature = Signature([])
  package static let traits: Traits = .source
  /// The tensor's name in its file.
  package var name: String
  /// The declaration of the file, without `@`.
  package var source: String
  package var type: TensorType

  package init(name: String, source: String, type: TensorType) {
    self.name = name
    self.source = source
    self.type = type
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    name = try reader.string(nil)
    source = String(try reader.symbol("in").drop { $0 == "@" })
    type = try reader.resultType()
  }

  package var attributes: [LabeledAttribute] {
    [LabeledAttribute(nil, .string(name)), LabeledAttribute("in", .symbol("@" + source))]
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] { [type] }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    guard let value = try environment.weight(name, source) else {
      throw error("missing", "no weight \"\(name)\" in @\(source)")
    }
    if value.type.shape != type.shape {
      throw error("shape", "weight \"\(name)\" is \(value.type), expected \(type)")
    }
    return [HostTensor(type, value.elements)]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .none(because: "a weight has no operands")
  }
}

extension Graph {
  /// Appends `param`.
  package mutating func param(
    _ weight: String, in source: String, _ type: TensorType, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.param(Param(name: weight, source: source, type: type)), [], name: name)
  }
}
