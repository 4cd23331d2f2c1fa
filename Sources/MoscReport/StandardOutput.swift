import Foundation

/// Results on standard output: everything is written, or the command fails.
package enum StandardOutput {
  /// Writes bytes.
  ///
  /// - Throws: `CommandError.closedPipe` when the reader has gone, which is no fault to report.
  package static func write(_ bytes: Data) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count >= 0 {
        rest = rest.dropFirst(count)
      } else if errno == EPIPE {
        throw CommandError.closedPipe
      } else if errno != EINTR {
        throw CommandError.failure(
          "cannot write to standard output: \(String(cString: strerror(errno)))")
      }
    }
  }

  /// Writes a text and ends its line.
  package static func print(_ text: String) throws { try write(Data("\(text)\n".utf8)) }
}
