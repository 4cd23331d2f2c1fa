/// What code is made for, where it goes and comes from, and what is shown on the way.
package struct CompilationOptions: Hashable, Codable, Sendable {
  /// The processor to compile for: `native`, or an LLVM CPU name such as `x86-64-v3`.
  package var cpu = "native"
  /// LLVM features to add or leave out, such as `-avx512f,+avx2`.
  package var attributes = ""
  /// How much is done to make code fast.
  package var level = OptimisationLevel.usual
  /// Whether code carries line tables that debuggers and profilers read.
  package var hasDebugInfo = false
  /// The number of threads of compilation and of kernels; nil for the physical cores.
  package var threads: Int?
  /// The folder of the kernel cache; nil for the user's.
  package var cacheFolder: String?
  package var usesCache = true
  /// The number of optional passes that run on a module; nil for all.
  package var bisectLimit: Int?
  /// Passes that are left out.
  package var disabledPasses: Set<String> = []
  /// Whether the module is verified after every pass.
  package var verifiesEach = false

  /// The most bytes that a program may need; nil for what the machine has.
  package var memoryLimit: Int?

  package var shows = Observation()

  package init() {}
}
