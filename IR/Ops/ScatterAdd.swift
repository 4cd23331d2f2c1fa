/// Rows added up in the rows of a table: `y[r, c] = Σ x[i…, c]` over all i with `ids[i…] = r`, in
/// the order of i; ids outside the table add to its nearest row.
///
/// - Shapes: x `[i…, c]`, ids i32 `[i…]` → `[v, c]`, given as the result type.
/// - Types: f32.
/// - Errors: `scatter-add.dtype`, `scatter-add.shape`.
/// - Gradient: rows of `dy` (`gather`).
package struct ScatterAdd: KernelOp {
  package static let mnemonic = "scatter_add"
  package static let signature = Signature([nil, "ids"])
  package static let traits: Traits = .reduction
  package static let kernelKind = KernelKind.single
  package var type: TensorType

  package init(_ type: TensorType) { self.type = type }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    type = try reader.resultType()
  }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: results[0].count)
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let (x, ids) = (operands[0], operands[1])
    guard ids.dtype == .i32, x.dtype == .f32, type.dtype == .f32 else {
      throw error("dtype", "expected f32 rows and i32 ids, found \(x) and \(ids)")
    }
    guard type.rank == 2, x.rank >= 1, x.shape == ids.shape + [type.shape[1]] else {
      throw error("shape", "rows \(x) and ids \(ids) do not fit the table \(type)")
    }
    return [type]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let (x, ids) = (operands[0], operands[1])
    let width = type.shape[1]
    var sums = [Double](repeating: 0, count: type.count)
    for (i, id) in ids.elements.enumerated() {
      let row = min(max(Int(id), 0), type.shape[0] - 1)
      for c in 0..<width { sums[row * width + c] += x.elements[i * width + c] }
    }
    return [HostTensor(type, sums)]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .values([try graph.gather(site.gradient, ids: site.operands[1]), nil])
  }
}

extension Graph {
  /// Appends `scatter_add` into a table of that many rows.
  package mutating func scatterAdd(
    _ x: ValueID, ids: ValueID, rows: Int, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(
      .scatterAdd(ScatterAdd(.f32(rows, type(x).lastExtent))), [x, ids], name: name)
  }
}
