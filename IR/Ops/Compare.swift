/// Comparison: `y = a ⋈ b ? 1 : 0`, elementwise with broadcasting; false if either is NaN, but
/// `notEqual` is true then.
///
/// - Types: equal element types → u8.
/// - Gradient: none: a comparison is constant almost everywhere.
package struct Compare: ElementwiseOp {
  /// The relation tested.
  package enum Relation: String, CaseIterable, Hashable, Sendable {
    case less, lessOrEqual, equal, notEqual, greaterOrEqual, greater

    /// Whether the relation holds.
    package func holds(_ a: Double, _ b: Double) -> Bool {
      switch self {
      case .less: a < b
      case .lessOrEqual: a <= b
      case .equal: a == b
      case .notEqual: a != b
      case .greaterOrEqual: a >= b
      case .greater: a > b
      }
    }
  }

  package static let mnemonic = "compare"
  package static let signature = Signature([nil, nil])
  package var relation: Relation

  package init(_ relation: Relation) { self.relation = relation }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    let name = try reader.string("is")
    guard let relation = Relation(rawValue: name) else {
      let known = Relation.allCases.map(\.rawValue).joined(separator: ", ")
      throw OpError("compare.relation", "unknown relation \"\(name)\", expected one of \(known)")
    }
    self.relation = relation
  }

  package var attributes: [LabeledAttribute] {
    [LabeledAttribute("is", .string(relation.rawValue))]
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    if operands[0].dtype != operands[1].dtype {
      throw error("dtype", "operand types differ: \(operands[0]) and \(operands[1])")
    }
    return [try broadcastType(operands).with(dtype: .u8)]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let (a, b) = (operands[0], operands[1])
    return [
      HostTensor(types[0]) { relation.holds(a.broadcast($0), b.broadcast($0)) ? 1 : 0 }
    ]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .none(because: "a comparison is constant almost everywhere")
  }
}

extension Graph {
  /// Appends `compare`.
  package mutating func compare(
    _ a: ValueID, _ b: ValueID, is relation: Compare.Relation, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.compare(Compare(relation)), [a, b], name: name)
  }
}
