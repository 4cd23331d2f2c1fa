import MoscEngine

/// What `mosc opt` is asked for.
package struct OptRequest: Hashable, Sendable {
  /// A `.mos` file, `-` for standard input.
  package var input: String
  /// The passes, such as `canonicalise,fuse{max-ops=12}`; empty to only read and print.
  package var passes = ""
  package var compiler = CompilationOptions()
  package var output = "-"

  package init(_ input: String) { self.input = input }
}
