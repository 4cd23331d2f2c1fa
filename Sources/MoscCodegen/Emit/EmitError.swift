/// A kernel description that no code can be written for.
package struct EmitError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was found and what was expected.
  package var description: String

  /// Makes an error from what was found and what was expected.
  package init(_ description: String) { self.description = description }

  /// Throws unless the condition holds.
  static func require(
    _ condition: Bool, _ message: @autoclosure () -> String
  ) throws(EmitError) {
    if !condition { throw EmitError(message()) }
  }
}
