import CPNG
import Foundation
import MoscFormats

/// A picture of 8-bit channels in rows.
package struct PixelImage: Hashable, Sendable {
  package var width: Int
  package var height: Int
  /// 1 grey, 3 RGB or 4 RGBA.
  package var channels: Int
  package var pixels: [UInt8]

  /// No picture that is read or made has more pixels: a file of a few kilobytes may ask for gigabytes.
  package static let mostPixels = 1 << 26

  /// Whether a picture of a size has no more pixels than that.
  package static func isBounded(_ width: Int, _ height: Int) -> Bool {
    let (count, overflows) = width.multipliedReportingOverflow(by: height)
    return !overflows && count <= mostPixels
  }

  package init(width: Int, height: Int, channels: Int = 3, pixels: [UInt8]) {
    self.width = width
    self.height = height
    self.channels = channels
    self.pixels = pixels
  }
}

extension PixelImage {
  /// Fails unless the picture has pixels, as many bytes as it says, and channels that a format knows.
  func check(for format: String, channels known: Set<Int>) throws(FormatError) {
    guard width > 0, height > 0, known.contains(channels), pixels.count == width * height * channels else {
      throw FormatError(
        format, nil, "cannot encode \(pixels.count) bytes as \(width)x\(height)x\(channels)")
    }
  }
}

/// PNG files with text chunks.
package enum PNG {
  /// A text chunk.
  package typealias Text = (keyword: String, text: String)

  /// The bytes of a PNG file; text that is not ASCII goes into international chunks.
  package static func encode(_ image: PixelImage, texts: [Text] = []) throws(FormatError) -> Data {
    try image.check(for: "PNG", channels: [1, 3, 4])
    for (keyword, content) in texts
    where !(1...79).contains(keyword.utf8.count) || content.utf8.contains(0)
      || !keyword.utf8.allSatisfy({ (0x20...0x7e).contains($0) })
    {
      throw FormatError(
        "PNG", "text \"\(keyword)\"",
        "expected an ASCII keyword of 1…79 characters and text without zero bytes")
    }
    let keywords = texts.map { $0.keyword.utf8CString.map { $0 } }
    let contents = texts.map { $0.text.utf8CString.map { $0 } }
    var result = png_bytes()
    var message = [CChar](repeating: 0, count: 160)
    // The C strings must stay in place during the call, so they are joined in one array.
    let flat = zip(keywords, contents).flatMap { $0 + $1 }
    let status = flat.withUnsafeBufferPointer { strings -> Int32 in
      var pairs: [png_text_pair] = []
      var position = 0
      if let base = strings.baseAddress {
        for (keyword, text) in zip(keywords, contents) {
          pairs.append(
            png_text_pair(keyword: base + position, text: base + position + keyword.count))
          position += keyword.count + text.count
        }
      }
      return png_shim_encode(
        image.pixels, UInt32(image.width), UInt32(image.height), UInt32(image.channels), pairs,
        pairs.count, &result, &message)
    }
    guard status == 0, let data = result.data else {
      throw FormatError("PNG", nil, text(message))
    }
    defer { png_shim_free(result) }
    return Data(bytes: data, count: result.size)
  }

  /// Writes a PNG file, whole or not at all.
  package static func write(_ image: PixelImage, texts: [Text] = [], to url: URL) throws {
    let data = try encode(image, texts: texts)
    try AtomicFile.write(data, to: url)
  }

  /// Reads a PNG file as RGB or RGBA with its text chunks.
  package static func read(_ url: URL) throws(FormatError) -> (image: PixelImage, texts: [Text]) {
    try decode(try readFile(url), path: url.path)
  }

  /// Decodes the bytes of a PNG file; the path is for errors.
  package static func decode(
    _ data: Data, path: String
  ) throws(FormatError) -> (image: PixelImage, texts: [Text]) {
    try decode(data, path: path, withTexts: true)
  }

  /// Decodes the bytes of a PNG file; its texts are unpacked only when they are wanted.
  static func decode(
    _ data: Data, path: String, withTexts: Bool
  ) throws(FormatError) -> (image: PixelImage, texts: [Text]) {
    var picture = png_picture()
    var message = [CChar](repeating: 0, count: 160)
    let status = data.withUnsafeBytes { buffer in
      png_shim_decode(
        buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), buffer.count,
        UInt32(PixelImage.mostPixels), withTexts ? 1 : 0, &picture, &message)
    }
    guard status == 0, let pixels = picture.pixels.data else {
      throw FormatError(path, nil, "cannot be read as PNG: \(text(message))")
    }
    defer {
      png_shim_free(picture.pixels)
      png_shim_free(picture.texts)
    }
    let image = PixelImage(
      width: Int(picture.width), height: Int(picture.height), channels: Int(picture.channels),
      pixels: Array(UnsafeBufferPointer(start: pixels, count: picture.pixels.size)))
    let parts = UnsafeBufferPointer(start: picture.texts.data, count: picture.texts.size)
      .split(separator: 0, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    let texts = stride(from: 0, to: max(0, parts.count - 1), by: 2)
      .map { (keyword: parts[$0], text: parts[$0 + 1]) }
    return (image, texts)
  }

  private static func text(_ message: [CChar]) -> String {
    String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
