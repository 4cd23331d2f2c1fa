/// The same elements in row-major order with another shape.
///
/// - Errors: `reshape.count` when the element counts differ; `reshape.dtype`.
/// - Gradient: `dy` in the operand's shape.
package struct Reshape: ResultTypedOp, MovementOp {
  package static let mnemonic = "reshape"
  package static let traits: Traits = .view
  package static let codeLength = 0
  package var type: TensorType

  package init(_ type: TensorType) { self.type = type }

  package func acceptsQ8(_ operands: [TensorType], _ results: [TensorType]) -> Bool {
    // A row keeps its scale.
    operands[0].lastExtent == results[0].lastExtent
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    if operands[0].count != type.count {
      throw error(
        "count", "\(operands[0]) has \(operands[0].count) elements, \(type) has \(type.count)")
    }
    if operands[0].dtype != type.dtype {
      throw error("dtype", "element type changes from \(operands[0]) to \(type)")
    }
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
    .values([try graph.reshape(site.gradient, to: graph.type(site.operands[0]).shape)])
  }
}

extension Graph {
  /// Appends `reshape`, or nothing when the shape is already right.
  package mutating func reshape(
    _ x: ValueID, to shape: [Int], name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    type(x).shape == shape
      ? x : try emit(.reshape(Reshape(type(x).with(shape: shape))), [x], name: name)
  }
}
