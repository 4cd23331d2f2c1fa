import Foundation

/// Messages for people who are not to see where files lie on this disk.
package enum PlainPaths {
  /// The text with every path cut to its last name.
  package static func clean(_ text: String) -> String {
    // A path begins behind a blank, a quote or a bracket, with a folder or `/`.
    text.replacing(/(^|[\s'"(\[=])((?:\.{0,2}\/|[\w.~-]+\/)(?:[^\s'"\/]+\/)*)([^\s'"\/]*)/) { match in
      // A pair of words such as "and/or" has no folder before it.
      let folder = match.output.2
      let isPath = folder.hasPrefix("/") || folder.hasPrefix(".") || folder.dropLast().contains("/")
      return isPath ? "\(match.output.1)\(match.output.3)" : String(match.output.0)
    }
  }
}
