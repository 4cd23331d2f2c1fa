/// How a contraction is cut into register tiles and cache blocks; decided by `choose-kernels`.
package struct Tile: Hashable, Sendable {
  /// Rows (pixels or tokens) of a register tile.
  package var rows: Int
  /// Columns (output channels) of a register tile; also the width of packed weight panels.
  package var columns: Int
  /// Rows of a cache block.
  package var blockRows: Int
  /// Columns of a cache block, a multiple of `columns`.
  package var blockColumns: Int
  /// Input channels of a cache block.
  package var blockDepth: Int

  package init(rows: Int, columns: Int, blockRows: Int, blockColumns: Int, blockDepth: Int) {
    self.rows = rows
    self.columns = columns
    self.blockRows = blockRows
    self.blockColumns = blockColumns
    self.blockDepth = blockDepth
  }

  /// The five numbers in the text format's order.
  package var numbers: [Int] { [rows, columns, blockRows, blockColumns, blockDepth] }

  /// Reads `tile: [rows, columns, block rows, block columns, block depth]`, if present.
  static func read(_ reader: inout AttributeReader) throws(OpError) -> Tile? {
    guard let list = try reader.optionalInts("tile") else { return nil }
    guard list.count == 5, list.allSatisfy({ $0 > 0 }) else {
      throw OpError("tile.numbers", "expected five positive numbers, found \(list)")
    }
    return Tile(
      rows: list[0], columns: list[1], blockRows: list[2], blockColumns: list[3],
      blockDepth: list[4])
  }

  /// The attribute, or none for an undecided tile.
  static func attributes(_ tile: Tile?) -> [LabeledAttribute] {
    tile.map { [LabeledAttribute("tile", .ints($0.numbers))] } ?? []
  }
}
