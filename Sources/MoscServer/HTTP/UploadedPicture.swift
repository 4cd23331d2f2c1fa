import Foundation
import MoscFormats
import MoscImages

/// Pictures that requests bring: decoded to pixels at once, so that nothing else of a file is kept.
enum UploadedPicture {
  /// The bytes of a base64 text, raw or as `data:image/…;base64,…`.
  ///
  /// - Throws: `APIError` for addresses of other places, which nobody fetches, and for other texts.
  static func data(_ text: String, field: String) throws -> Data {
    if text.contains("://") {
      throw APIError(400, "\(field): addresses are not fetched; send the picture itself as base64", field: nil)
    }
    var text = text[...]
    if text.hasPrefix("data:") {
      guard let comma = text.firstIndex(of: ","), text[..<comma].hasPrefix("data:image/"), text[..<comma].hasSuffix(";base64")
      else { throw APIError(400, "\(field): expected data:image/…;base64,…") }
      text = text[text.index(after: comma)...]
    }
    guard let data = Data(base64Encoded: String(text), options: .ignoreUnknownCharacters), !data.isEmpty else {
      throw APIError(400, "\(field): Invalid encoded image")
    }
    return data
  }

  /// The picture of a base64 text.
  static func image(_ text: String, field: String) throws -> PixelImage {
    try image(data(text, field: field), field: field)
  }

  /// The picture of a file's bytes.
  static func image(_ data: Data, field: String) throws -> PixelImage {
    do {
      return try ImageFile.decode(data, path: field)
    } catch {
      throw APIError(400, "\(error)", field: nil)
    }
  }
}
