import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscReport
import MoscSample

/// A contact sheet: references first, then a row for each prompt.
struct EvaluationSheet {
  /// The sets of pictures; of one, all pictures of a prompt are shown, of several, the first of each.
  let sets: [(name: String, pictures: [JudgedPicture])]
  let references: [PixelImage]

  private static let mostColumns = 10
  private static let mostLetters = 40

  func write(to file: OutputFile) throws -> OutputFile {
    let shown = sets.map { set in
      (set.name, captions(set.pictures))
    }
    var rows: [ImageGrid.Row] = []
    if !references.isEmpty {
      rows.append(ImageGrid.Row("references", Array(references.prefix(Self.mostColumns))))
    }
    for (index, entry) in (shown.first?.1 ?? []).enumerated() {
      let pictures =
        sets.count == 1
        ? Array(entry.pictures.prefix(Self.mostColumns))
        : shown.compactMap { $0.1.indices.contains(index) ? $0.1[index].pictures.first : nil }
      rows.append(ImageGrid.Row(String(entry.caption.prefix(Self.mostLetters)), pictures))
    }
    let grid = try ImageGrid(rows, columns: sets.count > 1 ? sets.map(\.name) : [])
    return try file.put(grid.image, texts: [("Software", Version.text)])
  }

  /// The pictures of each caption, captions in the order of the pictures.
  private func captions(_ pictures: [JudgedPicture]) -> [(caption: String, pictures: [PixelImage])] {
    var result: [(caption: String, pictures: [PixelImage])] = []
    for picture in pictures {
      if let index = result.firstIndex(where: { $0.caption == picture.caption }) {
        result[index].pictures.append(picture.image)
      } else {
        result.append((picture.caption, [picture.image]))
      }
    }
    return result
  }
}
