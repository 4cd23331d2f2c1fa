/// Operands one after the other along an axis.
///
/// - Shapes: equal but for the axis. Errors: `concat.axis`, `concat.shape`.
/// - Gradient: the part of `dy` that each operand gave.
package struct Concat: MovementOp {
  package static let mnemonic = "concat"
  package static let signature = Signature([], isVariadic: true)
  package var axis: Int

  package init(axis: Int) { self.axis = axis }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    axis = try reader.int("axis")
  }

  package var attributes: [LabeledAttribute] { [LabeledAttribute("axis", .int(axis))] }

  package func alignedOperands(from axis: Int, of count: Int) -> Range<Int>? {
    self.axis < axis ? 0..<count : nil
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    var shape = operands[0].shape
    guard shape.indices.contains(axis) else {
      throw error("axis", "\(operands[0]) has no axis \(axis)")
    }
    for type in operands.dropFirst() {
      var other = type.shape
      if other.indices.contains(axis) { other[axis] = operands[0].shape[axis] }
      guard type.dtype == operands[0].dtype, other == operands[0].shape else {
        throw error("shape", "\(operands[0]) and \(type) differ off axis \(axis)")
      }
      shape[axis] += type.shape[axis]
    }
    return [operands[0].with(shape: shape)]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    [
      HostTensor(types[0]) { index in
        var index = index
        for x in operands {
          if index[axis] < x.type.shape[axis] { return x[index] }
          index[axis] -= x.type.shape[axis]
        }
        return .nan
      }
    ]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    var start = 0
    var result: [ValueID?] = []
    for (operand, needs) in zip(site.operands, site.needs) {
      let end = start + graph.type(operand).shape[axis]
      result.append(
        needs ? try graph.slice(site.gradient, axis: axis, from: start, to: end) : nil)
      start = end
    }
    return .values(result)
  }
}

extension Graph {
  /// Appends `concat`.
  package mutating func concat(
    _ operands: [ValueID], axis: Int, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.concat(Concat(axis: axis)), operands, name: name)
  }
}
