import MoscIR

/// Chooses how contractions are cut: a pure function of sizes and target.
package enum TileCost {
  /// The tile of a contraction with `rows × columns` results.
  ///
  /// The columns depend on the number of output channels only, so that layers of equal weight shape
  /// share a packed form. `depth` is the number of input channels of one kernel position.
  package static func tile(
    rows: Int, columns: Int, depth: Int, dtype: DType, target: Target
  ) -> Tile {
    let lanes = target.lanes
    let vectors = panelVectors(columns: columns, target: target)
    let width = vectors * lanes
    let registers = registerRows(vectors: vectors, target: target)
    let wide = (columns + width - 1) / width * width
    let blockColumns = min(max(320 / width, 1) * width, wide)
    return Tile(
      rows: min(registers, max(rows, 1)), columns: width, blockRows: 128,
      blockColumns: blockColumns, blockDepth: dtype == .bf16 ? 640 : 320)
  }

  /// The vectors of a panel: the width that pads the fewest columns, of these the widest.
  static func panelVectors(columns: Int, target: Target) -> Int {
    let widest = target.vectorRegisters >= 32 ? 5 : 3
    let needed = (columns + target.lanes - 1) / target.lanes
    if needed <= widest { return max(needed, 1) }
    // A narrow last panel wastes no columns but fills its registers badly.
    return (2...widest).min { a, b in
      let (costA, costB) = (cost(needed, a, target), cost(needed, b, target))
      return costA != costB ? costA < costB : a > b
    } ?? 1
  }

  /// Cycles per row and depth step of all panels, in units of a vector multiply-add: tiles are
  /// limited by multiply-adds or by loads (one vector, or two broadcast numbers, per cycle).
  private static func cost(_ needed: Int, _ vectors: Int, _ target: Target) -> Double {
    func panel(_ count: Int) -> Double {
      let rows = Double(registerRows(vectors: count, target: target))
      let multiplies = rows * Double(count)
      let loads = Double(count) + rows / 2
      return max(multiplies, loads) / rows + 0.25 * loads / rows
    }
    let rest = needed % vectors
    return Double(needed / vectors) * panel(vectors) + (rest > 0 ? panel(rest) : 0)
  }

  /// The rows that leave a register for each column vector and one for the row's number:
  /// `rows · vectors + vectors + 1 ≤ registers`.
  static func registerRows(vectors: Int, target: Target) -> Int {
    max(1, min(14, (target.vectorRegisters - 1 - vectors) / vectors))
  }
}
