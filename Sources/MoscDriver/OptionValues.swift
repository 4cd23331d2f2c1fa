import Foundation

/// A picture size in pixels.
package struct PictureSize: Hashable, Sendable, CustomStringConvertible {
  package var width: Int
  package var height: Int

  package init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }

  /// Reads `512x768` (width first).
  package init?(_ text: String) {
    let parts = text.lowercased().split(separator: "x", omittingEmptySubsequences: false)
    guard parts.count == 2, let width = Int(parts[0]), let height = Int(parts[1]),
      width > 0, height > 0
    else { return nil }
    self.init(width: width, height: height)
  }

  package var description: String { "\(width)x\(height)" }
}

/// The arithmetic of contractions: weights and inputs; sums are f32, or exact for integers.
package enum Precision: String, CaseIterable, Hashable, Sendable {
  case f32, bf16, int8

  /// Reads the usual spellings.
  package init?(spelling: String) {
    switch spelling.lowercased() {
    case "f32", "fp32", "float32", "float": self = .f32
    case "bf16", "bfloat16": self = .bf16
    case "int8", "i8", "q8": self = .int8
    default: return nil
    }
  }
}

/// Which messages go to standard error.
package enum Verbosity: Int, Comparable, Hashable, Sendable {
  case quiet, normal, verbose, debug

  package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// How messages are written.
package enum LogFormat: String, CaseIterable, Hashable, Sendable {
  case text, json
}
