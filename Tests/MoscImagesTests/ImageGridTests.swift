import MoscFormats
import MoscImages
import Testing

@Suite struct ImageGridTests {
  private func flat(_ width: Int, _ height: Int, _ value: UInt8) -> PixelImage {
    PixelImage(
      width: width, height: height, pixels: [UInt8](repeating: value, count: width * height * 3))
  }

  private func pixel(_ image: PixelImage, _ x: Int, _ y: Int) -> UInt8 {
    image.pixels[(y * image.width + x) * 3]
  }

  @Test func placesPictures() throws {
    let grid = try ImageGrid([
      .init("", [flat(3, 2, 10), flat(2, 2, 20)]), .init("", [flat(2, 5, 30)]),
    ], gap: 1).image
    #expect(grid.width == 1 + 3 + 1 + 2 + 1 && grid.height == 1 + 2 + 1 + 5 + 1)
    #expect(pixel(grid, 1, 1) == 10 && pixel(grid, 5, 2) == 20 && pixel(grid, 2, 8) == 30)
    #expect(pixel(grid, 0, 0) == 255 && pixel(grid, 3, 4) == 255)
  }

  /// Titles take room beside and above the pictures, and ink is where the font says.
  @Test func titles() throws {
    let grid = try ImageGrid(
      [.init("L", [flat(4, 9, 200)])], columns: ["wide title"], title: "T", gap: 2, textScale: 1
    ).image
    #expect(grid.width == 2 + 5 + 4 + 59 + 2)
    #expect(grid.height == 2 + (7 + 4) + (7 + 2) + 9 + 2)
    // The bar of T, the stem and the foot of L.
    #expect((2..<7).allSatisfy { pixel(grid, $0, 2) == 40 } && pixel(grid, 2, 3) == 255)
    #expect(pixel(grid, 2, 23) == 40 && (2..<7).allSatisfy { pixel(grid, $0, 29) == 40 })
    #expect(pixel(grid, 11, 22) == 200)
  }

  /// Two pictures of a few kilobytes can span a sheet of gigabytes.
  @Test func refusesSheetsThatAreTooLarge() {
    let (wide, high) = (flat(40_000, 1, 0), flat(1, 40_000, 0))
    for rows in [[.init("", [wide]), .init("", [high])], [.init("", [high, wide])]] as [[ImageGrid.Row]] {
      #expect { try ImageGrid(rows) } throws: { "\($0)".contains("expected at most 67108864") }
    }
    #expect(throws: FormatError.self) { try ImageGrid([.init("", [high])], gap: 1 << 40) }
    #expect(throws: FormatError.self) {
      try ImageGrid([.init("", [high])], title: "T", textScale: 1 << 30)
    }
  }

  @Test func refusesNothing() {
    #expect(throws: FormatError.self) { try ImageGrid([]) }
    #expect(throws: FormatError.self) { try ImageGrid([.init("only words", [])]) }
  }
}
