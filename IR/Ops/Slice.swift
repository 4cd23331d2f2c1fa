/// A range along one axis: `y[…, i, …] = x[…, from + i, …]` for `from + i < to`.
///
/// - Errors: `slice.axis`, `slice.range`.
/// - Gradient: `dy` with zeros around it.
package struct Slice: MovementOp {
  package static let mnemonic = "slice"
  package static let signature = Signature([nil])
  package static let traits: Traits = .view
  package static let codeLength = 0
  package var axis: Int
  package var from: Int
  package var to: Int

  package init(axis: Int, from: Int, to: Int) {
    self.axis = axis
    self.from = from
    self.to = to
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    axis = try reader.int("axis")
    from = try reader.int("from")
    to = try reader.int("to")
  }

  package var attributes: [LabeledAttribute] {
    [
      LabeledAttribute("axis", .int(axis)), LabeledAttribute("from", .int(from)),
      LabeledAttribute("to", .int(to)),
    ]
  }

  package func alignedOperands(from axis: Int, of count: Int) -> Range<Int>? {
    self.axis < axis ? 0..<count : nil
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let x = operands[0]
    guard x.shape.indices.contains(axis) else { throw error("axis", "\(x) has no axis \(axis)") }
    guard 0 <= from, from < to, to <= x.shape[axis] else {
      throw error("range", "range \(from)..<\(to) is outside axis \(axis) of \(x)")
    }
    var shape = x.shape
    shape[axis] = to - from
    return [x.with(shape: shape)]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let x = operands[0]
    return [
      HostTensor(types[0]) { index in
        var index = index
        index[axis] += from
        return x[index]
      }
    ]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    let shape = graph.type(site.operands[0]).shape
    var (low, high) = ([Int](repeating: 0, count: shape.count), shape.map { _ in 0 })
    low[axis] = from
    high[axis] = shape[axis] - to
    return .values([try graph.pad(site.gradient, low: low, high: high)])
  }
}

extension Graph {
  /// Appends `slice`.
  package mutating func slice(
    _ x: ValueID, axis: Int, from: Int, to: Int, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.slice(Slice(axis: axis, from: from, to: to)), [x], name: name)
  }
}
