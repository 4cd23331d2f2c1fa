/// What a U-Net can say about regions besides its prediction.
package enum RegionMeasure {
  /// The most pixels of the feature maps that are measured: larger ones say nothing more and cost much.
  package static let mostPixels = 1024
  private static let attentionPrefix = "attention."
  private static let energyPrefix = "energy."

  /// The result with the mean probabilities of cross-attention at a resolution, `[n,r,t,m]`.
  package static func attention(_ pixels: Int) -> String { "\(attentionPrefix)\(pixels)" }

  /// The result with the energies that regional adapters add to the image, `[n,slots,t]`.
  package static func energy(_ pixels: Int) -> String { "\(energyPrefix)\(pixels)" }

  /// Whether the branch of a layer is measured: those whose output is added to the image.
  static func isMeasured(_ path: String) -> Bool {
    path.hasSuffix(".to_out.0") || path.hasSuffix(".ff.net.2")
  }
}

extension UNet {
  /// Whether a result is a measure of regions.
  package static func isRegionMeasure(_ name: String) -> Bool {
    name.hasPrefix(RegionMeasure.attention(0).dropLast()) || name.hasPrefix(RegionMeasure.energy(0).dropLast())
  }
}
