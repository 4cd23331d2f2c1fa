import MoscFormats

/// Pictures in rows and columns on white, with titles; each column as wide as its widest picture.
package struct ImageGrid: Sendable {
  /// A row of RGB pictures.
  package struct Row: Sendable {
    package var title: String
    package var pictures: [PixelImage]

    package init(_ title: String = "", _ pictures: [PixelImage]) {
      self.title = title
      self.pictures = pictures
    }
  }

  private let rows: [Row]
  private let columnTitles: [String]
  private let title: String
  private let gap: Int
  private let textScale: Int

  /// - Parameters:
  ///   - rows: rows may differ in length.
  ///   - columns: titles above the columns.
  ///   - title: what stands above everything.
  ///   - gap: pixels between pictures.
  ///   - textScale: pixels for a pixel of the font.
  /// - Throws: `FormatError` without any picture, and for a sheet of too many pixels.
  package init(
    _ rows: [Row], columns: [String] = [], title: String = "", gap: Int = 4, textScale: Int = 1
  ) throws(FormatError) {
    guard rows.contains(where: { !$0.pictures.isEmpty }) else {
      throw FormatError("a grid", nil, "has no pictures")
    }
    self.rows = rows
    columnTitles = columns
    self.title = title
    self.gap = gap
    self.textScale = textScale
    let layout = layout
    guard PixelImage.isBounded(layout.width, layout.height) else {
      throw FormatError(
        "a grid", nil,
        "would have \(layout.width)x\(layout.height) pixels, expected at most \(PixelImage.mostPixels) in all")
    }
  }

  /// Where everything goes, in pixels.
  private struct Layout {
    /// Of each column and row.
    var widths, heights: [Int]
    /// Where the first column and row of pictures start.
    var left, top: Int
    var width, height: Int
  }

  private var layout: Layout {
    let columns = max(rows.map(\.pictures.count).max() ?? 0, columnTitles.count)
    let widths = (0..<columns).map { column in
      rows.compactMap {
        $0.pictures.indices.contains(column) ? $0.pictures[column].width : nil
      }.reduce(columnTitles.indices.contains(column) ? width(columnTitles[column]) : 0, max)
    }
    let heights = rows.map { row in
      row.pictures.map(\.height).reduce(row.title.isEmpty ? 0 : line, max)
    }
    let margin = rows.map { width($0.title) }.max() ?? 0
    let left = gap + (margin > 0 ? margin + 2 * gap : 0)
    let head = (title.isEmpty ? 0 : line + 2 * gap) + (columnTitles.isEmpty ? 0 : line + gap)
    return Layout(
      widths: widths, heights: heights, left: left, top: gap + head,
      width: max(widths.reduce(left) { $0 + $1 + gap }, 2 * gap + width(title)),
      height: heights.reduce(gap + head) { $0 + $1 + gap })
  }

  /// The whole.
  package var image: PixelImage {
    let layout = layout
    var result = PixelImage(
      width: layout.width, height: layout.height,
      pixels: [UInt8](repeating: 255, count: layout.width * layout.height * 3))
    result.draw(title, left: gap, top: gap, scale: textScale)
    var x = layout.left
    for (text, width) in zip(columnTitles, layout.widths) {
      result.draw(text, left: x, top: layout.top - gap - line, scale: textScale)
      x += width + gap
    }
    var top = layout.top
    for (row, height) in zip(rows, layout.heights) {
      result.draw(row.title, left: gap, top: top + (height - line) / 2, scale: textScale)
      x = layout.left
      for (picture, width) in zip(row.pictures, layout.widths) {
        result.place(picture.rgb, left: x, top: top)
        x += width + gap
      }
      top += height + gap
    }
    return result
  }

  private var line: Int { PixelFont.height * textScale }

  private func width(_ text: String) -> Int { PixelFont.width(text) * textScale }
}

extension PixelImage {
  /// RGB pictures below each other on white.
  package static func stacked(_ pictures: [PixelImage]) throws(FormatError) -> PixelImage {
    if pictures.count == 1 { return pictures[0] }
    let (width, height) = (pictures.map(\.width).max() ?? 0, pictures.reduce(0) { $0 + $1.height })
    guard isBounded(width, height) else {
      throw FormatError(
        "a sheet", nil, "would have \(width)x\(height) pixels, expected at most \(mostPixels) in all")
    }
    var result = PixelImage(
      width: width, height: height, pixels: [UInt8](repeating: 255, count: width * height * 3))
    var top = 0
    for picture in pictures {
      result.place(picture.rgb, left: 0, top: top)
      top += picture.height
    }
    return result
  }

  /// Copies an RGB picture that fits onto this one.
  fileprivate mutating func place(_ picture: PixelImage, left: Int, top: Int) {
    for y in 0..<picture.height {
      let from = y * picture.width * 3
      let to = ((top + y) * width + left) * 3
      pixels.replaceSubrange(
        to..<to + picture.width * 3, with: picture.pixels[from..<from + picture.width * 3])
    }
  }
}
