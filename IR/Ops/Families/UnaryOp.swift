/// An elementwise function of one floating-point operand: `y = f(x)`, same shape and type.
package protocol UnaryOp: ElementwiseOp {
  init()
  /// The function in f64.
  static func apply(_ x: Double) -> Double
  /// `dy/dx` as a value of x's shape or one that broadcasts to it, from x and y.
  func derivative(
    _ x: ValueID, _ y: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID
}

extension UnaryOp {
  package static var signature: Signature { Signature([nil]) }

  package init(reading reader: inout AttributeReader) throws(OpError) { self.init() }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    try expectFloat(operands[0])
    return [operands[0]]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    [HostTensor(types[0], operands[0].elements.map(Self.apply))]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    let slope = try derivative(site.operands[0], site.result, in: &graph)
    return .values([try graph.mul(site.gradient, slope)])
  }
}
