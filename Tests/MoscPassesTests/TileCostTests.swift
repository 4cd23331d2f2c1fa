import MoscIR
import MoscPasses
import Testing

@Suite struct TileCostTests {
  @Test func choosesTheMeasuredTiles() {
    let layer = { (rows: Int, columns: Int, depth: Int, type: DType) in
      TileCost.tile(
        rows: rows, columns: columns, depth: depth, dtype: type, target: .avx512BF16
      ).numbers
    }
    #expect(layer(8192, 320, 320, .f32) == [4, 80, 128, 320, 320])
    #expect(layer(8192, 320, 960, .bf16) == [4, 80, 128, 320, 480])
    #expect(layer(128, 1280, 1280, .f32) == [8, 32, 128, 320, 320])
    #expect(layer(4096, 512, 512, .f32) == [4, 64, 128, 320, 256])
    #expect(layer(8192, 4, 320, .f32) == [8, 16, 128, 16, 320])
    #expect(layer(2, 1280, 320, .f32) == [2, 32, 128, 320, 320])
    #expect(layer(3, 16, 5, .f32) == [3, 16, 126, 16, 5])
  }

  @Test(arguments: [Target.avx512BF16, .avx2, Target(lanes: 4, vectorRegisters: 16, hasBF16Dot: false)])
  func everyTileIsLegal(_ target: Target) {
    for columns in stride(from: 1, through: 200, by: 7) {
      for rows in [1, 2, 3, 5, 77, 154, 4096] {
        let depth = columns + rows % 7
        let tile = TileCost.tile(
          rows: rows, columns: columns, depth: depth, dtype: .f32, target: target)
        let vectors = tile.columns / target.lanes
        #expect(tile.columns % target.lanes == 0)
        #expect(tile.rows * vectors + vectors + 1 <= target.vectorRegisters)
        #expect(tile.blockColumns % tile.columns == 0 && tile.blockRows % tile.rows == 0)
        #expect(tile.blockDepth <= depth && tile.blockDepth <= 320)
      }
    }
  }
}
