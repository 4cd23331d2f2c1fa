/// Rows of a table: `y[i…, c] = table[ids[i…], c]`; ids outside the table read its nearest row.
///
/// - Shapes: table `[v,c]`, ids i32 `[i…]` → `[i…, c]`.
/// - Gradient: rows of `dy` added up in the rows of the table that they came from (`scatter_add`).
package struct Gather: KernelOp {
  package static let mnemonic = "gather"
  package static let signature = Signature([nil, "ids"])
  package static let traits: Traits = []
  package static let kernelKind = KernelKind.single

  package init() {}
  package init(reading reader: inout AttributeReader) throws(OpError) {}

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: 0)
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    try expectRank(operands[0], 2, "a table")
    guard operands[1].dtype == .i32 else {
      throw error("dtype", "expected i32 ids, found \(operands[1])")
    }
    return [operands[0].with(shape: operands[1].shape + [operands[0].shape[1]])]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let (table, ids) = (operands[0], operands[1])
    return [
      HostTensor(types[0]) { index in
        let id = Int(ids[Array(index.dropLast())])
        return table[[min(max(id, 0), table.type.shape[0] - 1), index[index.count - 1]]]
      }
    ]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    try site.each { (operand, table) throws(Diagnostic) -> ValueID? in
      operand == 1
        ? nil
        : try graph.scatterAdd(
          site.gradient, ids: site.operands[1], rows: graph.type(table).shape[0])
    }
  }
}

extension Graph {
  /// Appends `gather`.
  package mutating func gather(
    _ table: ValueID, ids: ValueID, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.gather(Gather()), [table, ids], name: name)
  }
}
