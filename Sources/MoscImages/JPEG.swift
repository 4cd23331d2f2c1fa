import CJPEG
import Foundation
import MoscFormats

/// JPEG files.
package enum JPEG {
  /// Decodes the bytes of a JPEG file as RGB; the path is for errors.
  ///
  /// Numbers are those of libjpeg-turbo with its defaults (exact integer DCT, smooth upsampling of
  /// colour), which Pillow uses as well. Orientation tags are `ImageFile`'s to apply. Missing data is
  /// an error.
  package static func decode(_ data: Data, path: String) throws(FormatError) -> PixelImage {
    var picture = jpeg_picture()
    var message = [CChar](repeating: 0, count: 256)
    let status = data.withUnsafeBytes { buffer in
      jpeg_shim_decode(
        buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), buffer.count,
        UInt32(PixelImage.mostPixels), &picture, &message)
    }
    guard status == 0, let pixels = picture.pixels else {
      let reason = String(
        decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      throw FormatError(path, nil, "cannot be read as JPEG: \(reason)")
    }
    defer { jpeg_shim_free(pixels) }
    let (width, height) = (Int(picture.width), Int(picture.height))
    return PixelImage(
      width: width, height: height,
      pixels: Array(UnsafeBufferPointer(start: pixels, count: width * height * 3)))
  }
}
