import MoscIR
import MoscPasses
import Testing

/// The tiles that contractions are cut into.
@Suite struct TileChoiceTests {
  @Test(arguments: [
    Target.avx512BF16, .avx2, Target(lanes: 4, vectorRegisters: 16, hasBF16Dot: false),
  ])
  func everyTileIsLegal(_ target: Target) {
    for columns in stride(from: 1, through: 200, by: 7) {
      for rows in [1, 2, 3, 5, 77, 154, 4096] {
        let depth = columns + rows % 7
        let tile = Tile.choose(
          for: target, dtype: .f32, rows: rows, columns: columns, depth: depth)
        let vectors = tile.columns / target.lanes
        #expect(tile.columns % target.lanes == 0)
        #expect(tile.rows * vectors + vectors + 1 <= target.vectorRegisters)
        #expect(tile.blockColumns % tile.columns == 0 && tile.blockRows % tile.rows == 0)
        #expect(1...max(depth, 16) ~= tile.blockDepth)
      }
    }
  }

  /// The widths of Stable Diffusion are cut without remainder, in tiles that fill the registers.
  @Test(arguments: [320, 640, 1280, 2560, 5120])
  func wideLayersHaveNoRemainder(_ columns: Int) {
    let tile = Tile.choose(
      for: .avx512BF16, dtype: .bf16, rows: 8192, columns: columns, depth: 320)
    #expect(columns % tile.columns == 0)
    #expect(tile.rows * tile.columns / 16 >= 16)
  }

  @Test func fewRowsStillGiveSeveralTasks() {
    let tile = Tile.choose(for: .avx512BF16, dtype: .f32, rows: 128, columns: 1280, depth: 1280)
    let rowBlocks = (128 + tile.blockRows - 1) / tile.blockRows
    #expect(rowBlocks * (1280 / tile.blockColumns) >= 8)
  }

  /// Blocks of attention are whole vectors one way and whole register tiles the other.
  @Test(arguments: [
    Target.avx512BF16, .avx2, Target(lanes: 4, vectorRegisters: 16, hasBF16Dot: false),
  ])
  func everyBlockIsLegal(_ target: Target) {
    for queries in [1, 5, 77, 154, 4096] {
      for keys in [1, 6, 77, 4096] {
        for depth in [4, 40, 160] {
          let blocks = AttentionBlocks.choose(
            for: target, heads: 16, depth: depth, queries: queries, keys: keys)
          #expect(blocks.queries % target.lanes == 0 && blocks.queries < queries + 4 * target.lanes)
          #expect(blocks.keys % AttentionBlocks.tileRows == 0 && blocks.group >= 1)
          let back = AttentionBlocks.backward(
            for: target, depth: depth, queries: queries, keys: keys, usesPairs: true)
          #expect(back.keys % target.lanes == 0 && back.keys < keys + target.lanes)
          #expect(back.queries % AttentionBlocks.tileRows == 0 && back.group >= 1)
        }
      }
    }
  }
}
