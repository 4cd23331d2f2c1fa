import Foundation
import MoscFormats

/// The tokenizer that all models of Stable Diffusion 1.x share, for files that bring none.
package enum CLIPVocabulary {
  /// CLIP's own tokenizer, read from the merges beside the program.
  package static func tokenizer() throws -> CLIPTokenizer {
    try CLIPTokenizer(folder: try BundledFolder.find("clip"))
  }
}

/// Folders that ship with the program.
enum BundledFolder {
  /// - Throws: `FormatError` naming where it was looked for.
  static func find(_ name: String) throws(FormatError) -> URL {
    // Not `Bundle.module`, which ends the process when the folder is gone.
    let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent()
    let places = ["mosc_MoscModel.resources/\(name)", "../share/mosc/\(name)"].map {
      program.appending(path: $0).standardizedFileURL
    }
    guard let folder = places.first(where: { FileManager.default.fileExists(atPath: $0.path) })
    else {
      throw FormatError(
        "the folder '\(name)'", nil, "is not beside the program: looked for "
          + places.map { "'\($0.path)'" }.joined(separator: " and ") + "; install mosc anew")
    }
    return folder
  }
}
