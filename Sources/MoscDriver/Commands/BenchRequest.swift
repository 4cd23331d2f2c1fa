import MoscEngine
import MoscNetworks

/// What `mosc bench` is asked for.
package struct BenchRequest: Hashable, Sendable {
  package var component: String
  package var model = ModelOptions()
  package var compiler = CompilationOptions()
  package var latentHeight = 64
  package var latentWidth = 64
  package var batch = 2
  package var runs = 5
  /// Regions of the U-Net, side by side.
  package var regions = 0
  package var printsJSON = false
  /// Whether the time of each kernel is shown.
  package var profiles = false
  /// An HTML file to walk through the program with these times; nil for none.
  package var explorer: String?

  package init(_ component: String) { self.component = component }
}
