import Foundation
import MoscEngine
import MoscImages
import MoscReport
import MoscSample

/// What `mosc grid` is asked for.
package struct GridRequest: Hashable, Sendable {
  /// Rows as `TITLE=FILE,FILE,…`; the title may be empty.
  package var rows: [String] = []
  /// Titles of the columns.
  package var columns: [String] = []
  package var title = ""
  /// A file, or a folder for numbered sheets.
  package var output = OutputPattern.workingFolder
  /// How many times larger than they are pictures are shown.
  package var scale = 1
  /// Pixels between pictures and around them; nil for a few.
  package var gap: Int?

  package init() {}
}

/// `mosc grid`: puts pictures on one sheet.
package struct GridJob {
  package let request: GridRequest
  package let reporter: Reporter

  package init(_ request: GridRequest, _ reporter: Reporter) {
    self.request = request
    self.reporter = reporter
  }

  package func run() throws {
    guard (1...16).contains(request.scale) else {
      throw CommandError.usage("--scale \(request.scale): expected 1 to 16")
    }
    if let gap = request.gap { try CommandError.check("gap", gap, in: 0...256) }
    guard !request.rows.isEmpty else {
      throw CommandError.usage("no --row: expected 'TITLE=FILE,FILE,…' for each row of the sheet")
    }
    let file = try OutputPattern(request.output, .picture, prefix: "grid-").file()
    let rows = try request.rows.map(row)
    let grid = try ImageGrid(
      rows, columns: request.columns, title: request.title, gap: request.gap ?? 4 * min(request.scale, 2),
      textScale: min(request.scale, 2))
    let written = try file.put(grid.image, texts: [("Software", Version.text)])
    try reporter.result(written.path)
  }

  private func row(_ text: String) throws -> ImageGrid.Row {
    guard let split = text.firstIndex(of: "=") else {
      throw CommandError.usage("--row '\(text)': expected 'TITLE=FILE,FILE,…'")
    }
    let files = text[text.index(after: split)...].split(separator: ",").map(String.init)
    guard !files.isEmpty else {
      throw CommandError.usage("--row '\(text)': names no picture")
    }
    return ImageGrid.Row(
      String(text[..<split]),
      try files.map { path in
        let picture = try ImageFile.read(URL(fileURLWithPath: path)).rgb
        return try picture.resized(
          width: picture.width * request.scale, height: picture.height * request.scale, .bicubic)
      })
  }
}
