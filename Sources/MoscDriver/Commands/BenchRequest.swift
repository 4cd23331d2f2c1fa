import MoscEngine
import MoscModel
import MoscNetworks

/// What `mosc bench` is asked for.
package struct BenchRequest: Hashable, Sendable {
  package var component: ComponentKind
  package var model = ModelOptions()
  package var compiler = CompilationOptions()
  package var shape = NetworkShape()
  package var runs = 5
  package var printsJSON = false
  /// Whether the time of each kernel is shown.
  package var profiles = false
  /// An HTML file to walk through the program with these times; nil for none.
  package var explorer: String?

  /// The rank of an adapter in each region, timed beside the U-Net without regions; nil for none.
  package var regionRank: Int?

  package init(_ component: ComponentKind) { self.component = component }
}
