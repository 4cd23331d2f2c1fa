import MoscIR

extension Tile {
  /// The register tile and cache blocks for a contraction of `rows` × `columns` outputs over
  /// `depth` products each.
  ///
  /// Columns: the panel width among one to five vectors (one to three where there are only 16
  /// registers) that wastes the fewest padded columns, the widest on a tie. Rows: what keeps the
  /// accumulators, one row of weights and one broadcast input in registers. Blocks: inputs and
  /// weights of a block stay in a second-level cache of half a megabyte or more, and there are at
  /// least eight tasks when the output allows it.
  ///
  /// - Parameter run: how many columns are left out together where they are not wanted: then panels hold
  ///   columns of one run, and tiles few rows, a power of two, as lines of pixels are cut.
  package static func choose(
    for target: Target, dtype: DType, rows: Int, columns: Int, depth: Int, run: Int? = nil
  ) -> Tile {
    let vectors = panelVectors(target, rows: rows, columns: min(run ?? columns, columns))
    let width = vectors * target.lanes
    let most = rowsOfTile(target, vectors: vectors)
    let tileRows = min(run == nil ? most : most >= 8 ? 8 : 4, max(rows, 1))
    // Weights of few rows are read from memory once: two prompts of 77 tokens are one block.
    let blockRows = evenBlock(rows, limit: rows <= 160 ? 160 : 128, multiple: tileRows)
    var blockColumns = evenBlock(columns, limit: max(320 / width, 1) * width, multiple: width)
    let rowBlocks = (rows + blockRows - 1) / blockRows
    while blockColumns > width, rowBlocks * ((columns + blockColumns - 1) / blockColumns) < 8 {
      blockColumns -= width
    }
    // The inputs of so many rows and a panel of weights fit the second-level cache; runs of fewer
    // than 16 products are not worth a loop.
    let blockDepth = max(min(depth, 640), 16)
    return Tile(
      rows: tileRows, columns: width, blockRows: blockRows, blockColumns: blockColumns,
      blockDepth: blockDepth
    ).evened(rows: rows, columns: columns)
  }

  /// The tile with blocks of depth that are whole runs of inputs, or as many as a loop is worth.
  func cut(forRunsOf length: Int) -> Tile {
    var result = self
    result.blockDepth = min(blockDepth, max(length, 16))
    return result
  }

  /// The tile for the products of a Winograd convolution of `tiles` tiles at `points` points each, or
  /// nil when tiles or columns are no whole register tiles.
  ///
  /// A block keeps the sums of all its points beside a panel of weights in a second-level cache of
  /// a megabyte; filters that are not kept transformed come in depth blocks of all points, long
  /// enough for inputs to be read in runs of four cache lines.
  package static func winograd(
    for target: Target, dtype: DType, points: Int, tiles: Int, columns: Int, depth: Int,
    keepsFilters: Bool
  ) -> Tile? {
    let vectors = panelVectors(target, rows: tiles, columns: columns)
    let width = vectors * target.lanes
    let most = rowsOfTile(target, vectors: vectors)
    guard columns % width == 0,
      let rows = (2...most).reversed().first(where: { tiles % $0 == 0 })
    else { return nil }
    let limit = max(winogradSumBytes / (points * width * 4), rows)
    return Tile(
      rows: rows, columns: width, blockRows: evenBlock(tiles, limit: limit, multiple: rows),
      blockColumns: width, blockDepth: max(min(depth, keepsFilters ? 640 : 256 / dtype.byteSize), 16)
    ).evened(rows: tiles, columns: columns)
  }

  /// The tile with cache blocks of nearly equal size, and so many columns that there are four tasks to
  /// share out.
  private func evened(rows extent: Int, columns width: Int) -> Tile {
    func parts(_ extent: Int, _ size: Int) -> Int { (extent + size - 1) / size }
    var result = self
    let rowBlocks = parts(extent, blockRows)
    result.blockRows = parts(parts(extent, rowBlocks), rows) * rows
    let panels = parts(width, columns)
    let wanted = max(parts(panels, blockColumns / columns), min(panels, parts(4, rowBlocks)))
    result.blockColumns = parts(panels, wanted) * columns
    return result
  }

  /// The most bytes of sums of a block of a Winograd convolution.
  private static let winogradSumBytes = 384 << 10

  private static func panelVectors(_ target: Target, rows: Int, columns: Int) -> Int {
    let widest = target.vectorRegisters >= 32 ? 5 : 2
    func padded(_ vectors: Int) -> Int {
      let width = vectors * target.lanes
      let rest = columns % width
      return columns - rest + (rest + target.lanes - 1) / target.lanes * target.lanes
    }
    /// Columns that full panels do not cover: they need a second, narrower kernel.
    func uncovered(_ vectors: Int) -> Int { columns % (vectors * target.lanes) }
    let choices = (1...widest).filter { $0 * target.lanes < columns + target.lanes }
    let best = choices.min { a, b in
      (padded(a), min(uncovered(a), 1), -a) < (padded(b), min(uncovered(b), 1), -b)
    }
    guard let best, best > 1 || columns <= target.lanes else { return min(2, widest) }
    return best
  }

  private static func rowsOfTile(_ target: Target, vectors: Int) -> Int {
    if target.vectorRegisters >= 32 {
      switch vectors {
      case 5: return 4
      case 4: return 6
      case 3: return 8
      case 2: return 8
      default: return 12
      }
    }
    return vectors >= 2 ? 6 : 8
  }

  /// Splits `extent` in equal blocks of at most about `limit`, each a whole number of `multiple`.
  private static func evenBlock(_ extent: Int, limit: Int, multiple: Int) -> Int {
    let count = max((extent + limit - 1) / limit, 1)
    let size = (extent + count - 1) / count
    return max((size + multiple - 1) / multiple * multiple, multiple)
  }
}
