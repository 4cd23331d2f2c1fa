import Foundation
import MoscImages
import MoscReport

extension OutputKind {
  /// A picture in any format that is written.
  package static let picture = OutputKind("a picture", PictureFormat.endings)
}

extension OutputFile {
  /// Writes a picture in the format that the name asks for.
  ///
  /// - Returns: where it is.
  @discardableResult
  package func put(_ image: PixelImage, texts: [PNG.Text] = []) throws -> OutputFile {
    try put(try PictureFormat(path).encode(image, texts: texts))
  }
}
