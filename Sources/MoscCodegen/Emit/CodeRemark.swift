/// Why code is slower than it might be: what `--remarks` prints.
package struct CodeRemark: Hashable, Sendable, CustomStringConvertible {
  package let kernel: String
  /// A stable id such as `vectorise.gather`.
  package let id: String
  package let message: String

  package var description: String { "remark: @\(kernel): \(message) [\(id)]" }
}
