/// A fault of the runtime system, such as memory that cannot be had.
package struct RuntimeError: Error, Hashable, Sendable, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }
}
