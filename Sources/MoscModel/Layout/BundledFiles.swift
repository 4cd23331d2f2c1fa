import Foundation
import MoscFormats

/// What ships beside the program.
enum BundledFiles {
  /// A folder of it, such as `base`, the embedded model, or `clip`, the vocabulary of CLIP.
  static func folder(_ name: String) throws(FormatError) -> URL {
    // Not `Bundle.module`, which ends the process when the folder is gone.
    let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent()
    let places = ["mosc_MoscModel.resources/\(name)", "../share/mosc/\(name)"].map {
      program.appending(path: $0).standardizedFileURL
    }
    guard let folder = places.first(where: { FileManager.default.fileExists(atPath: $0.path) })
    else {
      throw FormatError(
        name == "base" ? "the embedded model" : "'\(name)'", nil,
        "is not beside the program: looked for "
          + places.map { "'\($0.path)'" }.joined(separator: " and ") + "; install mosc anew")
    }
    return folder
  }
}
