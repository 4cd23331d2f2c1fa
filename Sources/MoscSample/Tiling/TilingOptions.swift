import MoscModel
import MoscReport

/// When the autoencoder works on tiles rather than on the whole picture.
package struct TilingOptions: Hashable, Codable, Sendable {
  package enum Mode: String, CaseIterable, Hashable, Codable, Sendable {
    /// On for pictures above `mostWhole` pixels.
    case auto
    case on, off
  }

  package var mode = Mode.auto
  /// The longest edge of a tile in pixels.
  package var tileSize = Self.usualTileSize

  package init() {}

  package static let usualTileSize = 640
  /// The pixels up to which a picture is decoded whole unless told otherwise: of Stable Diffusion's
  /// decoder that takes 2 GiB, and each pixel more as much again.
  package static let mostWhole = 768 * 768

  /// The tiles of a picture of a size in latents, of `factor` pixels each.
  func grid(height: Int, width: Int, factor: Int, seamless: Seamless?) -> TileGrid {
    let isTiled =
      switch mode {
      case .auto: height * width * factor * factor > Self.mostWhole
      case .on: true
      case .off: false
      }
    let limit = isTiled ? max(4, tileSize / factor) : max(height, width)
    // A quarter, as in diffusers.
    return TileGrid(
      height: height, width: width, limit: limit, overlap: limit / 4, seamless: seamless)
  }

  /// - Throws: a usage error for a size of which neighbours would share nothing.
  func check(factor: Int) throws {
    guard tileSize >= 8 * factor, tileSize <= 8192 else {
      throw CommandError.usage(
        "--vae-tile-size \(tileSize): expected \(8 * factor) to 8192 pixels")
    }
  }
}
