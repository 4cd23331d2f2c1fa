/// Where compiled kernels go and come from, and what is shown on the way.
package struct CompilationOptions: Hashable, Sendable {
  /// The processor to compile for: `native`, or an LLVM CPU name such as `x86-64-v3`.
  package var cpu = "native"
  /// LLVM features to add or leave out, such as `-avx512f,+avx2`.
  package var attributes = ""
  /// How much is done to make code fast.
  package var level = OptimisationLevel.usual
  /// Whether code carries line tables that debuggers and profilers read.
  package var hasDebugInfo = false
  /// A folder that receives every kernel as text, for `mosc replay compare`.
  package var recordFolder: String?
  /// A file that receives the module when passes or code generation fail; nil for none.
  package var reproducer: String?
  /// The number of threads of compilation and of kernels; nil for the physical cores.
  package var threads: Int?
  /// The folder of the kernel cache; nil for the user's.
  package var cacheFolder: String?
  package var usesCache = true
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
  /// The number of optional passes that run on a module; nil for all.
  package var bisectLimit: Int?
  /// A regular expression for the ids of remarks that are printed; nil for none.
  package var remarks: String?
  /// Whether the passes' counters are printed.
  package var printsStatistics = false
  /// A folder that receives the module after each pass, numbered.
  package var dumpFolder: String?
  package var timesPasses = false
  /// Passes that are left out.
  package var disabledPasses: Set<String> = []
  /// Whether the module is verified after every pass.
  package var verifiesEach = false

  package init() {}
}
