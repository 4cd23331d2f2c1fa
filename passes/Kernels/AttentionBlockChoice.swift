import MoscIR

extension AttentionBlocks {
  /// The blocks of attention of `heads` heads (of all images) and `depth` channels each.
  ///
  /// Queries fill up to four vectors, two where there are only 16 registers. Two blocks share
  /// rearranged keys and values; more of them push each other out of the first cache. Queries and sums
  /// take at most about 160 KB, and there are 16 tasks if possible.
  package static func choose(
    for target: Target, heads: Int, depth: Int, queries: Int, keys: Int
  ) -> AttentionBlocks {
    let needed = parts(queries, target.lanes)
    let vectors = min(widest(target), needed)
    let blocks = parts(needed, vectors)
    let blockBytes = 8 * depth * vectors * target.lanes
    var group = max(1, min(2, blocks, 160_000 / blockBytes))
    while group > 1, heads * parts(blocks, group) < 16 { group -= 1 }
    return AttentionBlocks(
      queries: vectors * target.lanes, keys: wholeTiles(keys), group: group)
  }

  /// The blocks of attention's backward pass, where a task is a head and keys lie in the lanes.
  ///
  /// Vectors are spread evenly: 77 keys are two blocks of three vectors of 16. What a group of at most
  /// four key blocks keeps between blocks of queries takes at most 400 KB of the second cache.
  ///
  /// - Parameter usesPairs: whether the factors are bf16, which multiply in pairs.
  package static func backward(
    for target: Target, depth: Int, queries: Int, keys: Int, usesPairs: Bool
  ) -> AttentionBlocks {
    let needed = parts(keys, target.lanes)
    let blocks = parts(needed, widest(target))
    let vectors = parts(needed, blocks)
    let words = (usesPairs ? 3 : 6) * depth / 2 + 2 * depth
    let group = max(1, min(4, blocks, 400_000 / (words * vectors * target.lanes * 4)))
    return AttentionBlocks(
      queries: wholeTiles(queries), keys: vectors * target.lanes, group: group)
  }

  /// Vectors of a block.
  private static func widest(_ target: Target) -> Int { target.vectorRegisters >= 32 ? 4 : 2 }

  /// At most 64 tokens, in whole register tiles.
  private static func wholeTiles(_ tokens: Int) -> Int {
    min(64, parts(tokens, tileRows) * tileRows)
  }

  private static func parts(_ extent: Int, _ size: Int) -> Int { (extent + size - 1) / size }
}
