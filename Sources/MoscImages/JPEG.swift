import CJPEG
import Foundation
import MoscFormats

/// JPEG files with their texts.
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

  /// How near to the picture what is written is, 1…100.
  private static let quality: Int32 = 95
  private static let mostSegmentBytes = 65_533
  private static let comment: UInt8 = 0xfe
  private static let exif: UInt8 = 0xe1

  /// The bytes of a JPEG file, colour at full resolution.
  ///
  /// The text `parameters` becomes the EXIF comment in which other programs look for it, each other text a
  /// comment `keyword: text`.
  package static func encode(
    _ image: PixelImage, texts: [PNG.Text] = []
  ) throws(FormatError) -> Data {
    try image.check(for: "JPEG", channels: [1, 3])
    let contents = texts.map { keyword, text in
      keyword == ExifTexts.keyword
        ? (code: exif, bytes: ExifTexts.segment(text))
        : (code: comment, bytes: Array("\(keyword): \(text)".utf8))
    }
    for (content, text) in zip(contents, texts) where content.bytes.count > mostSegmentBytes {
      throw FormatError(
        "JPEG", "text \"\(text.keyword)\"",
        "has \(content.bytes.count) bytes, which is more than the \(mostSegmentBytes) that a JPEG file "
          + "holds; write a .png file")
    }
    let flat = contents.flatMap(\.bytes)
    var bytes: UnsafeMutablePointer<UInt8>?
    var size = 0
    var message = [CChar](repeating: 0, count: 256)
    let status = flat.withUnsafeBufferPointer { all -> Int32 in
      var segments: [jpeg_segment] = []
      var position = 0
      for content in contents {
        segments.append(
          jpeg_segment(
            code: Int32(content.code), bytes: all.baseAddress.map { $0 + position },
            size: UInt32(content.bytes.count)))
        position += content.bytes.count
      }
      return jpeg_shim_encode(
        image.pixels, UInt32(image.width), UInt32(image.height), UInt32(image.channels), quality,
        segments, segments.count, &bytes, &size, &message)
    }
    guard status == 0, let bytes else {
      let reason = String(
        decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      throw FormatError("JPEG", nil, "cannot be written: \(reason)")
    }
    defer { jpeg_shim_free(bytes) }
    return Data(bytes: bytes, count: size)
  }

  /// The texts of a JPEG file, as `encode` writes them; what is damaged is left out.
  package static func texts(_ data: Data) -> [PNG.Text] {
    let bytes = [UInt8](data)
    var texts: [PNG.Text] = []
    // After the two bytes that start the file come segments: 0xff, a code, and a length that counts itself.
    var place = 2
    while place + 4 <= bytes.count, bytes[place] == 0xff {
      let code = bytes[place + 1]
      // From the start of a scan on it is pixels.
      if code == 0xda || code == 0xd9 { break }
      if code == 0xff {
        place += 1
        continue
      }
      let length = Int(bytes[place + 2]) << 8 | Int(bytes[place + 3])
      guard length >= 2, place + 2 + length <= bytes.count else { break }
      let content = Array(bytes[place + 4..<place + 2 + length])
      if code == exif, let text = ExifTexts.comment(content) {
        texts.append((ExifTexts.keyword, text))
      } else if code == comment {
        let text = String(decoding: content, as: UTF8.self)
        let parts = text.split(separator: ": ", maxSplits: 1)
        let isNamed = parts.count == 2 && !parts[0].contains { $0.isWhitespace }
        texts.append(isNamed ? (String(parts[0]), String(parts[1])) : ("comment", text))
      }
      place += 2 + length
    }
    return texts
  }
}
