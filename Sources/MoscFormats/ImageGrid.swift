/// Pictures in rows and columns on white, each column as wide as its widest picture.
package struct ImageGrid: Sendable {
  private let rows: [[PixelImage]]
  private let gap: Int

  /// - Parameters:
  ///   - rows: RGB pictures; rows may differ in length.
  ///   - gap: pixels between pictures.
  /// - Throws: `FormatError` without any picture.
  package init(_ rows: [[PixelImage]], gap: Int = 4) throws(FormatError) {
    guard rows.contains(where: { !$0.isEmpty }) else {
      throw FormatError("a grid", nil, "has no pictures")
    }
    self.rows = rows
    self.gap = gap
  }

  /// The whole.
  package var image: PixelImage {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.compactMap { $0.indices.contains(column) ? $0[column].width : nil }.max() ?? 0
    }
    let heights = rows.map { $0.map(\.height).max() ?? 0 }
    let width = widths.reduce(gap) { $0 + $1 + gap }
    let height = heights.reduce(gap) { $0 + $1 + gap }
    var pixels = [UInt8](repeating: 255, count: width * height * 3)
    var top = gap
    for (row, pictures) in rows.enumerated() {
      var left = gap
      for (column, picture) in pictures.enumerated() {
        let source = picture.rgb
        for y in 0..<source.height {
          let from = y * source.width * 3
          let to = ((top + y) * width + left) * 3
          pixels.replaceSubrange(
            to..<to + source.width * 3, with: source.pixels[from..<from + source.width * 3])
        }
        left += widths[column] + gap
      }
      top += heights[row] + gap
    }
    return PixelImage(width: width, height: height, pixels: pixels)
  }
}
