import MoscEngine
import MoscNetworks

/// What `mosc compile` is asked for.
package struct CompileRequest: Hashable, Sendable {
  package var source: ProgramSource
  package var model = ModelOptions()
  package var compiler = CompilationOptions()
  package var shape = NetworkShape()
  /// Whether every cross-attention layer has a prompt of its own.
  package var isLayerwise = false
  package var emission = Emission.graph
  /// The form that a `.mos` file must be in; nil for any.
  package var from: ModuleForm?
  /// Only kernels whose names contain this.
  package var kernelFilter: String?
  package var output = "-"

  package init(_ source: ProgramSource) { self.source = source }
}
