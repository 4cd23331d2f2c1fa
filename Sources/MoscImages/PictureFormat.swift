import Foundation
import MoscFormats

/// A format that pictures are written in.
package enum PictureFormat: Hashable, Sendable {
  case png, jpeg, webp

  /// The endings of names of files that are written, the usual one first.
  package static let endings = ["png", "jpg", "jpeg", "webp"]

  /// The format that a name asks for; PNG where it says nothing.
  package init(_ path: String) {
    let ending = URL(fileURLWithPath: path).pathExtension.lowercased()
    self = ["jpg", "jpeg"].contains(ending) ? .jpeg : ending == "webp" ? .webp : .png
  }

  /// The bytes of a file of the format.
  package func encode(_ image: PixelImage, texts: [PNG.Text] = []) throws(FormatError) -> Data {
    switch self {
    case .png: try PNG.encode(image, texts: texts)
    case .jpeg: try JPEG.encode(image, texts: texts)
    case .webp: try WebP.encode(image, texts: texts)
    }
  }
}
