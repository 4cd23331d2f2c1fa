/// Permuted axes: axis `a` of the result is axis `axes[a]` of the operand.
/// - Gradient: `dy` with the axes put back.
package struct Transpose: MovementOp {
  package static let mnemonic = "transpose"
  package static let signature = Signature([nil])
  package static let codeLength = 0
  package var axes: [Int]

  package init(axes: [Int]) { self.axes = axes }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    axes = try reader.ints("axes")
  }

  package var attributes: [LabeledAttribute] { [LabeledAttribute("axes", .ints(axes))] }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let x = operands[0]
    guard axes.sorted() == Array(0..<x.rank) else {
      throw error("axes", "\(axes) is not a permutation of the axes of \(x)")
    }
    return [x.with(shape: axes.map { x.shape[$0] })]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let x = operands[0]
    return [
      HostTensor(types[0]) { index in
        var source = index
        for (axis, from) in axes.enumerated() { source[from] = index[axis] }
        return x[source]
      }
    ]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    let inverse = axes.indices.map { axis in axes.firstIndex(of: axis) ?? axis }
    return .values([try graph.transpose(site.gradient, axes: inverse)])
  }
}

extension Graph {
  /// Appends `transpose`.
  package mutating func transpose(
    _ x: ValueID, axes: [Int], name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.transpose(Transpose(axes: axes)), [x], name: name)
  }
}
