import CWebP
import Foundation
import MoscFormats

/// WebP files with their texts.
package enum WebP {
  /// Whether bytes begin a WebP file.
  package static func begins(_ data: Data) -> Bool {
    data.count >= 12 && data.starts(with: Array("RIFF".utf8))
      && data.dropFirst(8).starts(with: Array("WEBP".utf8))
  }

  /// Decodes the bytes of a WebP file as RGB, or RGBA where it has transparency; the path is for errors.
  ///
  /// Orientation tags are `ImageFile`'s to apply. Animations are refused.
  package static func decode(_ data: Data, path: String) throws(FormatError) -> PixelImage {
    var picture = webp_picture()
    var message = [CChar](repeating: 0, count: 160)
    let status = data.withUnsafeBytes { buffer in
      webp_shim_decode(
        buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), buffer.count,
        UInt32(PixelImage.mostPixels), &picture, &message)
    }
    guard status == 0, let pixels = picture.pixels else {
      throw FormatError(path, nil, "cannot be read as WebP: \(Self.text(message))")
    }
    defer { webp_shim_free(pixels) }
    let (width, height, channels) = (Int(picture.width), Int(picture.height), Int(picture.channels))
    return PixelImage(
      width: width, height: height, channels: channels,
      pixels: Array(UnsafeBufferPointer(start: pixels, count: width * height * channels)))
  }

  /// How near to the picture what is written is, 1…100.
  private static let quality: Float = 95

  /// The bytes of a WebP file, lossy, with its texts as EXIF data.
  package static func encode(
    _ image: PixelImage, texts: [PNG.Text] = []
  ) throws(FormatError) -> Data {
    try image.check(for: "WebP", channels: [1, 3])
    let exif = try texts.isEmpty ? nil : ExifTexts.tiff(texts)
    var bytes: UnsafeMutablePointer<UInt8>?
    var size = 0
    var message = [CChar](repeating: 0, count: 160)
    let status = webp_shim_encode(
      image.rgb.pixels, UInt32(image.width), UInt32(image.height), quality, &bytes, &size, &message)
    guard status == 0, let bytes else {
      throw FormatError("WebP", nil, "cannot be written: \(text(message))")
    }
    defer { webp_shim_free(bytes) }
    let plain = Data(bytes: bytes, count: size)
    guard let exif else { return plain }
    // The plain file is one chunk behind twelve bytes; an extended one says its size and what else it holds.
    let sides = [image.width - 1, image.height - 1].flatMap { little($0, 3) }
    let chunks =
      chunk("VP8X", [Self.hasExif, 0, 0, 0] + sides) + plain.dropFirst(12) + chunk("EXIF", exif)
    return Data(Array("RIFF".utf8) + little(chunks.count + 4, 4) + Array("WEBP".utf8)) + chunks
  }

  private static let hasExif: UInt8 = 8

  /// The texts of a WebP file, as `encode` and other programs write them; what is damaged is left out.
  package static func texts(_ data: Data) -> [PNG.Text] {
    exif([UInt8](data)).map(ExifTexts.texts) ?? []
  }

  /// The EXIF data of a file; nil for one without.
  static func exif(_ bytes: [UInt8]) -> [UInt8]? {
    var place = 12
    while place + 8 <= bytes.count {
      let size = bytes[place + 4..<place + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
      guard size <= bytes.count - place - 8 else { return nil }
      if bytes[place..<place + 4].elementsEqual("EXIF".utf8) {
        let content = Array(bytes[place + 8..<place + 8 + size])
        // Some writers keep the start that EXIF data have in JPEG files.
        return content.starts(with: ExifTexts.start) ? Array(content.dropFirst(ExifTexts.start.count)) : content
      }
      // Chunks have an even number of bytes.
      place += 8 + size + size % 2
    }
    return nil
  }

  private static func chunk(_ name: String, _ content: [UInt8]) -> Data {
    Data(Array(name.utf8) + little(content.count, 4) + content + (content.count % 2 == 1 ? [0] : []))
  }

  private static func little(_ number: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(number >> (8 * $0) & 0xff) }
  }

  private static func text(_ message: [CChar]) -> String {
    String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
