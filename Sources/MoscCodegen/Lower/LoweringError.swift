/// Why a kernel could not be lowered to machine code.
package struct LoweringError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kernel's name without sigil.
  package var kernel: String
  /// What was found and what was expected.
  package var message: String

  package init(kernel: String, _ message: String) {
    self.kernel = kernel
    self.message = message
  }

  package var description: String { "cannot lower kernel '@\(kernel)': \(message)" }
}
