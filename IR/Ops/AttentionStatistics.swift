/// The logarithm of the sum that each row of an attention's softmax is divided by:
/// `y[b,h,i] = ln Σ_j e^(q[i]·k[j] / √d)` per head, over the keys that query i sees.
///
/// - Shapes: q `[n,t,c]`, k `[n,s,c]` → `[n,h,t]`; d = c / heads; causal as in `attention`.
/// - Types: equal float types → f32.
/// - Errors: `attention-statistics.heads`, `attention-statistics.shape`,
///   `attention-statistics.dtype`.
/// - Source: Dao et al. 2022, algorithm 4 (the statistics L kept for the backward pass).
/// - Gradient: none: it is a part of a gradient; differentiate the attention's decomposition twice
///   instead.
package struct AttentionStatistics: AttentionOp {
  package static let mnemonic = "attention_statistics"
  package static let signature = Signature([nil, "keys"])
  package static let traits: Traits = .reduction
  package static let kernelKind = KernelKind.single
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
    Attention(heads: heads, isCausal: isCausal, blocks: blocks).attributes
  }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: OpCost.product(2, operands[0].count, operands[1].shape[1]))
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let (q, k) = (operands[0], operands[1])
    try expectFloat(q, k)
    try expectRank(q, 3, "queries")
    guard k.rank == 3, k.shape[0] == q.shape[0], k.shape[2] == q.shape[2] else {
      throw error("shape", "queries \(q) and keys \(k) do not fit")
    }
    if q.dtype != k.dtype { throw error("dtype", "operand types differ: \(q), \(k)") }
    guard heads >= 1, q.shape[2] % heads == 0 else {
      throw error("heads", "\(heads) heads do not divide \(q.shape[2]) channels")
    }
    return [.f32(q.shape[0], heads, q.shape[1])]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let scores = AttentionScores(operands[0], operands[1], heads: heads, isCausal: isCausal)
    return [
      HostTensor(types[0]) { at in
        let row = scores.row(at[0], at[1], at[2])
        let top = row.max() ?? 0
        return top + Libm.log(row.reduce(0) { $0 + Libm.exp($1 - top) })
      }
    ]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .none(because: "it is a part of a gradient itself")
  }
}

/// The scaled scores of an attention, for the evaluator.
struct AttentionScores {
  let q, k: HostTensor
  let heads: Int
  let isCausal: Bool

  init(_ q: HostTensor, _ k: HostTensor, heads: Int, isCausal: Bool) {
    (self.q, self.k, self.heads, self.isCausal) = (q, k, heads, isCausal)
  }

  /// Channels of a head.
  var depth: Int { q.type.shape[2] / heads }

  /// `q[i]·k[j] / √d` for the keys j that query i sees.
  func row(_ b: Int, _ h: Int, _ i: Int) -> [Double] {
    let (t, s) = (q.type.shape[1], k.type.shape[1])
    let visible = isCausal ? min(max(i + 1 + Attention.lead(queries: t, keys: s), 0), s) : s
    return (0..<visible).map { j in
      var score = 0.0
      for e in h * depth..<(h + 1) * depth { score += q[[b, i, e]] * k[[b, j, e]] }
      return score / Double(depth).squareRoot()
    }
  }
}

extension Attention {
  /// How many keys the first query of a causal attention sees beyond its own.
  static func lead(queries: Int, keys: Int) -> Int { max(keys - queries, 0) }
}

extension Graph {
  /// Appends `attention_statistics`.
  package mutating func attentionStatistics(
    _ q: ValueID, keys: ValueID, heads: Int, causal: Bool = false, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(
      .attentionStatistics(AttentionStatistics(heads: heads, isCausal: causal)), [q, keys],
      name: name)
  }
}
