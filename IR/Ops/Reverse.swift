/// Elements in reverse order along some axes: `y[…, i, …] = x[…, n − 1 − i, …]`.
///
/// - Shapes: any → the same.
/// - Errors: `reverse.axes` when the axes are not ascending axes of the operand.
/// - Gradient: `dy` reversed.
package struct Reverse: MovementOp {
  package static let mnemonic = "reverse"
  package static let signature = Signature([nil])
  package var axes: [Int]

  package init(axes: [Int]) { self.axes = axes }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    axes = try reader.ints("axes")
  }

  package var attributes: [LabeledAttribute] { [LabeledAttribute("axes", .ints(axes))] }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let x = operands[0]
    guard axes == axes.sorted(), Set(axes).count == axes.count,
      axes.allSatisfy(x.shape.indices.contains)
    else { throw error("axes", "\(axes) are not ascending axes of \(x)") }
    return [x]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let x = operands[0]
    return [
      HostTensor(types[0]) { index in
        var index = index
        for axis in axes { index[axis] = x.type.shape[axis] - 1 - index[axis] }
        return x[index]
      }
    ]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .values([try graph.reverse(site.gradient, axes: axes)])
  }
}

extension Graph {
  /// Appends `reverse`, or nothing when the axes have one element.
  package mutating func reverse(
    _ x: ValueID, axes: [Int], name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    axes.allSatisfy { type(x).shape[$0] == 1 }
      ? x : try emit(.reverse(Reverse(axes: axes)), [x], name: name)
  }
}
