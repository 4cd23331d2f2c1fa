/// What is wrong with a file: which file, where in it, what was found and what was expected.
package struct FormatError: Error, Hashable, Sendable, CustomStringConvertible {
  package var path: String
  /// A key, tensor name or line inside the file, if the fault has one.
  package var place: String?
  package var message: String

  package init(_ path: String, _ place: String? = nil, _ message: String) {
    self.path = path
    self.place = place
    self.message = message
  }

  package var description: String {
    place.map { "\(path): \($0): \(message)" } ?? "\(path): \(message)"
  }
}
