import MoscEngine
import MoscNetworks

/// What `mosc compile` is asked for.
package struct CompileRequest: Hashable, Sendable {
  /// A component name or a `.mos` file.
  package var target: String
  package var model = ModelOptions()
  package var compiler = CompilationOptions()
  package var latentHeight = 64
  package var latentWidth = 64
  package var batch = 2
  /// The regions of the U-Net, beside the picture's own prompt.
  package var regions = 0
  /// Whether every cross-attention layer has a prompt of its own.
  package var isLayerwise = false
  package var emission = Emission.graph
  /// The stage that a `.mos` file must be in; nil for any.
  package var from: Emission?
  /// Only kernels whose names contain this.
  package var kernelFilter: String?
  package var output = "-"

  package init(_ target: String) { self.target = target }
}
