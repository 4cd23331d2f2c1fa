/// Which layers of a network get low-rank branches when a concept is taught.
package enum AdaptedLayers: String, CaseIterable, Hashable, Sendable {
  /// The four projections of every attention.
  case attention
  /// Those, the feed-forward layers and, in the U-Net, the projections around a transformer.
  case block
}
