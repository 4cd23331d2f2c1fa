import MoscIR

/// Chooses how contractions are cut: a pure function of sizes and target.
///
/// Measured on Zen 4 (f32, 3×3 convolution of 64×64×320): 4×80, 4×64, 8×32 and 8×48 are within 2 % of
/// each other; 8×32 is 4 % faster for images of 8×8. So what counts is that the tile divides the
/// columns and, for cheap addressing, the rows.
package enum TileCost {
  /// The largest number of rows and columns of a cache block.
  static let blockRows = 128, blockColumns = 320

  /// The tile of a contraction with `rows × columns` results; `depth` is the number of input channels
  /// of one kernel position.
  package static func tile(
    rows: Int, columns: Int, depth: Int, dtype: DType, target: Target
  ) -> Tile {
    let vectors = panelVectors(rows: rows, columns: columns, target: target)
    let width = vectors * target.lanes
    let height = min(registerRows(vectors: vectors, target: target), max(rows, 1))
    let padded = (columns + width - 1) / width * width
    return Tile(
      rows: height, columns: width, blockRows: blockRows / height * height,
      blockColumns: min(max(blockColumns / width, 1) * width, padded),
      blockDepth: blockDepth(depth, dtype))
  }

  /// The vectors of a panel: the widest that divides the columns, else the one that leaves the fewest
  /// empty in the last panel, which is narrower.
  static func panelVectors(rows: Int, columns: Int, target: Target) -> Int {
    let needed = max(1, (columns + target.lanes - 1) / target.lanes)
    let isWide = target.vectorRegisters >= 32
    let widest = isWide ? 5 : 3
    if needed <= widest { return needed }
    if isWide, rows <= blockRows, needed % 2 == 0 { return 2 }
    let candidates = (2...widest).reversed()
    func missing(_ vectors: Int) -> Int { (vectors - needed % vectors) % vectors }
    return candidates.min { missing($0) < missing($1) } ?? widest
  }

  /// Rows such that the sums, the columns and one broadcast number stay in registers:
  /// `rows · vectors + vectors + 1 ≤ registers`; a power of two, since image widths are.
  static func registerRows(vectors: Int, target: Target) -> Int {
    let most = (target.vectorRegisters - 1 - vectors) / vectors
    return most >= 8 ? 8 : most >= 4 ? 4 : most >= 2 ? 2 : 1
  }

  /// Equal blocks of at most 320 numbers (bf16: 640), so that a block of a panel stays in the cache.
  private static func blockDepth(_ depth: Int, _ dtype: DType) -> Int {
    let limit = dtype == .bf16 ? 640 : 320
    let blocks = (depth + limit - 1) / limit
    let block = (depth + blocks - 1) / blocks
    return dtype == .bf16 ? (block + 1) / 2 * 2 : block
  }
}
