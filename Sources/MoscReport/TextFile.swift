import Foundation
import MoscFormats

/// Reads texts from files and standard input.
package enum TextFile {
  /// The text of a file, `-` for standard input.
  ///
  /// - Throws: `CommandError.failure` naming the file.
  package static func read(_ path: String) throws -> String {
    let data: Data
    do {
      data = path == "-"
        ? try FileHandle.standardInput.readToEnd() ?? Data()
        : try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw CommandError.failure("cannot read '\(path)': \(error.plainDescription)")
    }
    guard let text = String(data: data, encoding: .utf8) else {
      throw CommandError.failure("cannot read '\(path)': it is not UTF-8 text")
    }
    return text
  }
}
