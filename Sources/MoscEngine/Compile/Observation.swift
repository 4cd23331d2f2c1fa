/// What is shown and kept of compilations, none of which changes their results.
package struct Observation: Hashable, Codable, Sendable {
  /// A folder that receives every kernel as text, for `mosc replay compare`.
  package var recordFolder: String?
  /// A file that receives the module when passes or code generation fail; nil for none.
  package var reproducer: String?
  /// Passes before which the module is printed to standard error.
  package var printBefore: [String] = []
  package var printsBeforeAll = false
  /// Passes after which the module is printed to standard error.
  package var printAfter: [String] = []
  package var printsAfterAll = false
  /// How the module is printed after passes that changed it; nil for not at all.
  package var printsChanges: ChangePrinter.Style?
  /// Whether the passes are listed before they run.
  package var printsPipeline = false
  /// A regular expression for the ids of remarks that are printed; nil for none.
  package var remarks: String?
  /// Whether the passes' counters are printed.
  package var printsStatistics = false
  /// A folder that receives the module after each pass, numbered.
  package var dumpFolder: String?
  package var timesPasses = false

  package init() {}
}
