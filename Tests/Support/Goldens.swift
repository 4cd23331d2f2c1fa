import Foundation

/// The reference tensors under `Tests/Goldens`; its README tells where they come from.
package enum Goldens {
  /// The place of a golden file or folder.
  package static func url(_ relative: String) -> URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Goldens").appending(path: relative)
  }
}
