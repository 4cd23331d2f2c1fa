/// Batched matrix product of two activations: `y[b,m,n] = Σₖ a[b,m,k] · b[b,k,n]`.
///
/// - Shapes: a `[b,m,k]`, b `[b,k,n]` → `[b,m,n]`.
/// - Types: equal float types → f32; summed in f32.
/// - Gradient: `da = dy · bᵀ, db = aᵀ · dy`.
package struct Matmul: KernelOp {
  package static let mnemonic = "matmul"
  package static let signature = Signature([nil, nil])
  package static let traits: Traits = .contraction
  package static let kernelKind = KernelKind.contraction

  package init() {}
  package init(reading reader: inout AttributeReader) throws(OpError) {}

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    // A product takes as long as a copy.
    let depth = operands[0].lastExtent
    return OpCost(flops: OpCost.product(2, results[0].count, depth), time: depth)
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let (a, b) = (operands[0], operands[1])
    try expectFloat(a, b)
    try expectRank(a, 3, "a left operand")
    try expectRank(b, 3, "a right operand")
    guard a.dtype == b.dtype, a.shape[0] == b.shape[0], a.shape[2] == b.shape[1] else {
      throw error("shape", "cannot multiply \(a) by \(b)")
    }
    return [TensorType(.f32, [a.shape[0], a.shape[1], b.shape[2]])]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let (a, b) = (operands[0], operands[1])
    return [
      HostTensor(types[0]) { at in
        var sum = 0.0
        for k in 0..<a.type.shape[2] { sum += a[[at[0], at[1], k]] * b[[at[0], k, at[2]]] }
        return sum
      }
    ]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    try site.each { (operand, x) throws(Diagnostic) -> ValueID? in
      let dtype = graph.type(x).dtype
      let dy = try graph.cast(site.gradient, to: dtype)
      let other = try graph.transpose(site.operands[1 - operand], axes: [0, 2, 1])
      let product =
        operand == 0 ? try graph.matmul(dy, other) : try graph.matmul(other, dy)
      return try graph.cast(product, to: dtype)
    }
  }
}

extension Graph {
  /// Appends `matmul`.
  package mutating func matmul(
    _ a: ValueID, _ b: ValueID, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.matmul(Matmul()), [a, b], name: name)
  }
}
