/// Multi-head attention in which every query mixes the answers of several contexts:
/// `y[b,i] = Σ_r coverage[r,i] · attend(q[b,i], k[b,r], v[b,r])`.
///
/// A context is left out for queries that it does not cover, so a region costs what its pixels
/// cost. Coverage is data: other regions run the same code.
///
/// - Shapes: q `[n,t,c]`, k and v `[n,r,s,c]`, coverage `[r,t]` → `[n,t,c]`; d = c / heads.
/// - Types: q, k, v of equal float type, coverage f32 → f32; softmax in f32.
/// - Gradient: that of its definition, attention by attention.
/// - Errors: `regional_attention.heads`, `regional_attention.shape`, `regional_attention.dtype`.
/// - Source: Gu et al. 2023 (Mix-of-Show), section 3.3; a covered query of the reference has
///   coverage 1 / number of boxes, an uncovered one reads the context prompt alone.
package struct RegionalAttention: CompositeOp, AttentionOp {
  package static let mnemonic = "regional_attention"
  package static let signature = Signature([nil, "keys", "values", "coverage"])
  package static let traits: Traits = .composite
  package static let kernelKind = KernelKind.rounded
  package var heads: Int
  package var blocks: AttentionBlocks?

  package init(heads: Int, blocks: AttentionBlocks? = nil) {
    self.heads = heads
    self.blocks = blocks
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    heads = try reader.int("heads")
    blocks = try AttentionBlocks.read(&reader)
  }

  package var attributes: [LabeledAttribute] {
    [LabeledAttribute("heads", .int(heads))] + AttentionBlocks.attributes(blocks)
  }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    // The keys of regions are an axis of their own.
    OpCost(flops: OpCost.product(4, results[0].count, operands[1].shape[1], operands[1].shape[2]))
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let (q, k, v, coverage) = (operands[0], operands[1], operands[2], operands[3])
    try expectFloat(q, k, v)
    try expectRank(q, 3, "queries")
    try expectRank(k, 4, "keys")
    guard k.shape == v.shape, k.shape[0] == q.shape[0], k.shape[3] == q.shape[2] else {
      throw error("shape", "queries \(q), keys \(k) and values \(v) do not fit")
    }
    try expectShape(coverage, [k.shape[1], q.shape[1]], "the coverage")
    if q.dtype != k.dtype || k.dtype != v.dtype || coverage.dtype != .f32 {
      throw error(
        "dtype", "expected queries, keys and values of one type and f32 coverage, found "
          + "\(q), \(k), \(v), \(coverage)")
    }
    guard heads >= 1, q.shape[2] % heads == 0 else {
      throw error("heads", "\(heads) heads do not divide \(q.shape[2]) channels")
    }
    return [q.with(dtype: .f32)]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let (q, k, v, coverage) = (operands[0], operands[1], operands[2], operands[3])
    let (n, t) = (q.type.shape[0], q.type.shape[1])
    let (r, s, c) = (k.type.shape[1], k.type.shape[2], k.type.shape[3])
    var result = [Double](repeating: 0, count: types[0].count)
    let context = k.type.with(shape: [n, s, c])
    for region in 0..<r {
      func part(_ x: HostTensor) -> HostTensor {
        HostTensor(context) { x[[$0[0], region, $0[1], $0[2]]] }
      }
      let answer = try Attention(heads: heads).evaluate(
        [q, part(k), part(v)], types, environment)[0]
      for i in result.indices {
        // A context that does not cover a query has no say, whatever its answer is.
        let share = coverage[[region, i / c % t]]
        if share != 0 { result[i] += share * answer.elements[i] }
      }
    }
    return [HostTensor(types[0], result)]
  }

  package func decompose(
    _ operands: [ValueID], in graph: inout Graph
  ) throws(Diagnostic) -> [ValueID] {
    let keys = graph.type(operands[1]).shape
    let tokens = graph.type(operands[3]).shape[1]
    var sum: ValueID?
    for region in 0..<keys[1] {
      var contexts: [ValueID] = []
      for operand in operands[1...2] {
        let part = try graph.slice(operand, axis: 1, from: region, to: region + 1)
        contexts.append(try graph.reshape(part, to: [keys[0], keys[2], keys[3]]))
      }
      let answer = try graph.attention(
        operands[0], keys: contexts[0], values: contexts[1], heads: heads)
      let row = try graph.slice(operands[3], axis: 0, from: region, to: region + 1)
      let share = try graph.reshape(row, to: [1, tokens, 1])
      let part = try graph.mul(answer, share)
      sum = if let sum { try graph.add(sum, part) } else { part }
    }
    guard let sum else { throw Diagnostic("regional_attention.shape", "there is no context") }
    return [sum]
  }
}

extension Graph {
  /// Appends `regional_attention`.
  package mutating func regionalAttention(
    _ q: ValueID, keys: ValueID, values: ValueID, coverage: ValueID, heads: Int,
    name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(
      .regionalAttention(RegionalAttention(heads: heads)), [q, keys, values, coverage], name: name)
  }
}
