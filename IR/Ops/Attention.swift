/// Multi-head scaled dot-product attention: per head `y = softmax(q·kᵀ / √d) · v`, heads side by
/// side on the channel axis; with `causal`, query i sees keys 0…i + s − t only: queries are the last
/// t of the s tokens.
///
/// - Shapes: q `[n,t,c]`, k and v `[n,s,c]` → `[n,t,c]`; d = c / heads.
/// - Types: q, k, v of equal float type → f32; softmax in f32.
/// - Errors: `attention.heads`, `attention.shape`, `attention.dtype`.
/// - Source: Vaswani et al. 2017, eq. 1; kernels follow Dao et al. 2022 (online softmax).
/// - Gradient: from blocks of recomputed probabilities (`attention_gradient`), with the log-sum of
///   the exponentials of each row (`attention_statistics`) and the products `Σ dy · y` of each
///   head.
package struct Attention: CompositeOp, AttentionOp {
  package static let mnemonic = "attention"
  package static let signature = Signature([nil, "keys", "values"])
  package static let traits: Traits = .composite
  package static let kernelKind = KernelKind.rounded
  package var heads: Int
  package var isCausal: Bool
  package var blocks: AttentionBlocks?

  package init(heads: Int, isCausal: Bool = false, blocks: AttentionBlocks? = nil) {
    self.heads = heads
    self.isCausal = isCausal
    self.blocks = blocks
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    heads = try reader.int("heads")
    isCausal = try reader.optionalBool("causal") ?? false
    blocks = try AttentionBlocks.read(&reader)
  }

  package var attributes: [LabeledAttribute] {
    [LabeledAttribute("heads", .int(heads))]
      + (isCausal ? [LabeledAttribute("causal", .bool(true))] : [])
      + AttentionBlocks.attributes(blocks)
  }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: OpCost.product(4, results[0].count, operands[1].shape[1]))
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let (q, k, v) = (operands[0], operands[1], operands[2])
    try expectFloat(q, k, v)
    try expectRank(q, 3, "queries")
    guard k.rank == 3, k.shape == v.shape, k.shape[0] == q.shape[0], k.shape[2] == q.shape[2] else {
      throw error("shape", "queries \(q), keys \(k) and values \(v) do not fit")
    }
    if q.dtype != k.dtype || k.dtype != v.dtype {
      throw error("dtype", "operand types differ: \(q), \(k), \(v)")
    }
    if isCausal, k.shape[1] < q.shape[1] {
      throw error("shape", "\(q.shape[1]) causal queries need as many keys, found \(k.shape[1])")
    }
    guard heads >= 1, q.shape[2] % heads == 0 else {
      throw error("heads", "\(heads) heads do not divide \(q.shape[2]) channels")
    }
    return [q.with(dtype: .f32)]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let (q, k, v) = (operands[0], operands[1], operands[2])
    let (n, t, c) = (q.type.shape[0], q.type.shape[1], q.type.shape[2])
    let s = k.type.shape[1]
    let d = c / heads
    var result = [Double](repeating: 0, count: types[0].count)
    for b in 0..<n {
      for h in 0..<heads {
        for i in 0..<t {
          let visible = isCausal ? i + 1 + s - t : s
          var scores = [Double](repeating: 0, count: visible)
          for j in 0..<visible {
            for e in h * d..<(h + 1) * d { scores[j] += q[[b, i, e]] * k[[b, j, e]] }
            scores[j] /= Double(d).squareRoot()
          }
          let top = scores.max() ?? 0
          scores = scores.map { Libm.exp($0 - top) }
          let sum = scores.reduce(0, +)
          for e in h * d..<(h + 1) * d {
            var total = 0.0
            for j in 0..<visible { total += scores[j] * v[[b, j, e]] }
            result[(b * t + i) * c + e] = total / sum
          }
        }
      }
    }
    return [HostTensor(types[0], result)]
  }

  package func decompose(
    _ operands: [ValueID], in graph: inout Graph
  ) throws(Diagnostic) -> [ValueID] {
    let (n, t, c) = (
      graph.type(operands[0]).shape[0], graph.type(operands[0]).shape[1],
      graph.type(operands[0]).shape[2]
    )
    let s = graph.type(operands[1]).shape[1]
    let d = c / heads
    let q = try split(operands[0], n, t, d, [0, 2, 1, 3], in: &graph)
    let k = try split(operands[1], n, s, d, [0, 2, 3, 1], in: &graph)
    let v = try split(operands[2], n, s, d, [0, 2, 1, 3], in: &graph)
    let scale = try graph.constant(1 / Double(d).squareRoot(), .f32(1, 1, 1))
    var scores = try graph.mul(try graph.matmul(q, k), scale)
    if isCausal {
      let mask = (0..<t * s).map { $0 % s > $0 / s + s - t ? -1e30 : 0 }
      scores = try graph.add(scores, try graph.constant(mask, .f32(1, t, s)))
    }
    var weights = try graph.softmax(scores)
    weights = try graph.cast(weights, to: graph.type(v).dtype)
    let mixed = try graph.reshape(try graph.matmul(weights, v), to: [n, heads, t, d])
    return [try graph.reshape(try graph.transpose(mixed, axes: [0, 2, 1, 3]), to: [n, t, c])]
  }

  /// `[n,t,h·d]` → heads as batch, the other two axes in the order of the permutation.
  private func split(
    _ x: ValueID, _ n: Int, _ t: Int, _ d: Int, _ axes: [Int], in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let parts = try graph.transpose(try graph.reshape(x, to: [n, t, heads, d]), axes: axes)
    let shape = graph.type(parts).shape
    return try graph.reshape(parts, to: [n * heads, shape[2], shape[3]])
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    let (q, k, v) = (site.operands[0], site.operands[1], site.operands[2])
    let dtype = graph.type(q).dtype
    let shape = graph.type(q).shape
    let statistics = try graph.attentionStatistics(q, keys: k, heads: heads, causal: isCausal)
    let products = try graph.reduceSum(
      try graph.reshape(
        try graph.mul(site.gradient, site.result),
        to: [shape[0], shape[1], heads, shape[2] / heads]),
      axes: [3])
    let rows = try graph.transpose(
      try graph.reshape(products, to: [shape[0], shape[1], heads]), axes: [0, 2, 1])
    // Probabilities are what the forward pass had, so q, k, v are taken as it took them.
    let operands = [q, k, v, try graph.cast(site.gradient, to: dtype), statistics, rows]
    let all = try graph.emit(
      .attentionGradient(AttentionGradient(heads: heads, isCausal: isCausal)), operands)
    var result: [ValueID?] = []
    var first = 0
    for (index, operand) in [q, k, v].enumerated() {
      let tokens = graph.type(operand).shape[1]
      let part = try graph.slice(all, axis: 1, from: first, to: first + tokens)
      result.append(site.needs[index] ? try graph.cast(part, to: dtype) : nil)
      first += tokens
    }
    return .values(result)
  }
}

extension Graph {
  /// Appends `attention`.
  package mutating func attention(
    _ q: ValueID, keys: ValueID, values: ValueID, heads: Int, causal: Bool = false,
    name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(
      .attention(Attention(heads: heads, isCausal: causal)), [q, keys, values], name: name)
  }
}
