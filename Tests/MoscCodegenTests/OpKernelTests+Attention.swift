import MoscIR

/// Attention and what it is trained with.
extension OpKernelTests {
  /// Blocks that are whole vectors for every processor.
  static let blocks = AttentionBlocks(queries: 32, keys: 64, group: 2)

  static func attention(_ mnemonic: String) throws -> [Case]? {
    switch mnemonic {
    case "attention":
      return try [(1, 5, 5, true), (2, 9, 3, false), (4, 70, 77, false)].flatMap {
        (heads: Int, queries: Int, keys: Int, isCausal: Bool) in
        try [DType.f32, .bf16].map { dtype in
          var test = try build([[2, queries, 40], [2, keys, 40], [2, keys, 40]], dtype) { g, x in
            let op = Attention(heads: heads, isCausal: isCausal, blocks: blocks)
            return try g.emit(.attention(op), x)
          }
          // Probabilities are rounded to bf16 as well.
          if dtype == .bf16 { test.bounds = .init(absolute: 2e-2, relative: 1e-2) }
          return test
        }
      }
    case "regional_attention":
      return try [(1, 5, 3, 5, DType.f32), (2, 70, 4, 77, .f32), (2, 70, 4, 77, .bf16)].map {
        (heads: Int, queries: Int, contexts: Int, keys: Int, dtype: DType) in
        var test = try build(
          [[2, queries, 20], [2, contexts, keys, 20], [2, contexts, keys, 20]], dtype
        ) { g, x in
          let coverage = g.parameter("coverage", .f32(contexts, queries))
          let op = RegionalAttention(heads: heads, blocks: blocks)
          return try g.emit(.regionalAttention(op), x + [coverage])
        }
        if dtype == .bf16 { test.bounds = .init(absolute: 2e-2, relative: 1e-2) }
        return test
      }
    case "attention_statistics":
      return try [(1, 5, 5, true), (2, 9, 3, false), (4, 70, 77, false), (2, 6, 70, true)].flatMap {
        (heads: Int, queries: Int, keys: Int, isCausal: Bool) in
        try [DType.f32, .bf16].map { dtype in
          try build([[2, queries, 40], [2, keys, 40]], dtype) { g, x in
            let op = AttentionStatistics(heads: heads, isCausal: isCausal, blocks: blocks)
            return try g.emit(.attentionStatistics(op), x)
          }
        }
      }
    case "attention_gradient":
      let sizes: [(channels: Int, heads: Int, queries: Int, keys: Int, isCausal: Bool)] = [
        (40, 10, 5, 5, true), (40, 20, 9, 3, false), (40, 5, 70, 77, false), (40, 1, 6, 70, true),
        (164, 1, 130, 67, false), (6, 2, 67, 67, true), (80, 1, 65, 300, false),
      ]
      return try sizes.flatMap { size in
        try [DType.f32, .bf16].map { dtype in
          var test = Case(
            graph: try kernel { g in
              let (q, k) = ([2, size.queries, size.channels], [2, size.keys, size.channels])
              let x = [q, k, k, q].enumerated().map {
                g.parameter("x\($0)", TensorType(dtype, $1))
              }
              let rows = TensorType(.f32, [2, size.heads, size.queries])
              let (l, d) = (g.parameter("l", rows), g.parameter("d", rows))
              let op = AttentionGradient(
                heads: size.heads, isCausal: size.isCausal, blocks: blocks)
              return [try g.emit(.attentionGradient(op), x + [l, d])]
            })
          // So that exponentials of the random scores stay small.
          test.magnitude = 0.5
          // In bf16, probabilities and slopes are rounded before they are summed.
          test.bounds =
            dtype == .f32
            ? .init(absolute: 1e-4, relative: 1e-5) : .init(absolute: 3e-2, relative: 1e-2)
          return test
        }
      }
    default: return nil
    }
  }
}
