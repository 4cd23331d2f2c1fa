/// The gradient of multi-head attention by its queries, keys and values.
///
/// With `P[i,j] = e^(q[i]·k[j]/√d − L[i])` and `dS[i,j] = P[i,j] (dy[i]·v[j] − D[i])`, per head:
/// `dq[i] = Σ_j dS[i,j] k[j] / √d`, `dk[j] = Σ_i dS[i,j] q[i] / √d`, `dv[j] = Σ_i P[i,j] dy[i]`.
///
/// - Shapes: q and dy `[n,t,c]`, k and v `[n,s,c]`, statistics L and products `D[i] = dy[i]·y[i]`
///   `[n,h,t]` → `[n,t+2s,c]`: per sample the rows of dq, dk and dv, one after the other.
/// - Types: q, k, v, dy of equal float type, statistics and products f32 → f32.
/// - Errors: `attention-gradient.heads`, `.shape`, `.dtype`.
/// - Source: Dao et al. 2022, algorithm 4; each result is summed in one place in a fixed order.
/// - Gradient: none: it is a gradient itself.
package struct AttentionGradient: AttentionOp {
  package static let mnemonic = "attention_gradient"
  package static let signature = Signature(
    [nil, "keys", "values", "gradient", "statistics", "products"])
  package static let traits: Traits = .contraction
  package static let kernelKind = KernelKind.single
  package static let isBackward = true
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
    OpCost(flops: OpCost.product(10, operands[0].count, operands[1].shape[1]))
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let (q, k) = (operands[0], operands[1])
    _ = try Attention(heads: heads, isCausal: isCausal).inferTypes(Array(operands.prefix(3)))
    if operands[3].dtype != q.dtype {
      throw error("dtype", "queries are \(q), the gradient \(operands[3])")
    }
    try expectShape(operands[3], q.shape, "a gradient")
    for type in operands[4...] where type != .f32(q.shape[0], heads, q.shape[1]) {
      throw error("shape", "expected f32[\(q.shape[0]),\(heads),\(q.shape[1])], found \(type)")
    }
    return [.f32(q.shape[0], q.shape[1] + 2 * k.shape[1], q.shape[2])]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let (q, k, v, dy) = (operands[0], operands[1], operands[2], operands[3])
    let scores = AttentionScores(q, k, heads: heads, isCausal: isCausal)
    let (n, t, s) = (q.type.shape[0], q.type.shape[1], k.type.shape[1])
    let c = q.type.shape[2]
    let scale = 1 / Double(scores.depth).squareRoot()
    var result = [Double](repeating: 0, count: types[0].count)
    let rows = types[0].shape[1]
    for b in 0..<n {
      for h in 0..<heads {
        for i in 0..<t {
          let (statistic, product) = (operands[4][[b, h, i]], operands[5][[b, h, i]])
          for (j, score) in scores.row(b, h, i).enumerated() {
            let p = Libm.exp(score - statistic)
            let channels = h * scores.depth..<(h + 1) * scores.depth
            var dp = 0.0
            for e in channels { dp += dy[[b, i, e]] * v[[b, j, e]] }
            let ds = p * (dp - product) * scale
            for e in channels {
              let byQuery = (b * rows + i) * c + e
              let byKey = (b * rows + t + j) * c + e
              result[byQuery] += ds * k[[b, j, e]]
              result[byKey] += ds * q[[b, i, e]]
              result[byKey + s * c] += p * dy[[b, i, e]]
            }
          }
        }
      }
    }
    return [HostTensor(types[0], result)]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .none(because: "it is a gradient itself")
  }
}
