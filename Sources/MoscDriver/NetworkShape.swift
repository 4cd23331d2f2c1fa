/// The extent of a latent picture, height first as in tensor shapes.
package struct LatentSize: Hashable, Sendable, CustomStringConvertible {
  package var height: Int
  package var width: Int

  package init(height: Int, width: Int) {
    (self.height, self.width) = (height, width)
  }

  /// Reads `HxW`; nil for anything else.
  package init?(spelling: String) {
    // The spelling of a picture's size, with the numbers the other way round.
    guard let size = PictureSize(spelling: spelling) else { return nil }
    self.init(height: size.width, width: size.height)
  }

  package var description: String { "\(height)x\(width)" }
}

/// What a network of a model is compiled for.
package struct NetworkShape: Hashable, Sendable {
  package var latent = LatentSize(height: 64, width: 64)
  package var batch = 2
  /// The regions of the U-Net, beside the picture's own prompt.
  package var regions = 0

  package init() {}
}
