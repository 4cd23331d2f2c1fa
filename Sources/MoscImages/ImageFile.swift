import Foundation
import MoscFormats

/// Picture files of the kinds that mosc reads: PNG, JPEG and WebP, told apart by their first bytes, and turned as
/// their EXIF data say.
package enum ImageFile {
  /// Reads a picture as RGB, or as RGBA where it has transparency.
  ///
  /// - Throws: `FormatError` naming the file, for a missing, damaged or unknown one.
  package static func read(_ url: URL) throws(FormatError) -> PixelImage {
    try decode(try readFile(url), path: url.path)
  }

  /// The texts of a picture file.
  ///
  /// - Throws: `FormatError` for a PNG file that is damaged.
  package static func texts(_ data: Data, path: String) throws(FormatError) -> [PNG.Text] {
    if data.starts(with: [0xff, 0xd8]) { return JPEG.texts(data) }
    return WebP.begins(data) ? WebP.texts(data) : try PNG.decode(data, path: path).texts
  }

  /// Decodes the bytes of a picture file; the path is for errors.
  package static func decode(_ data: Data, path: String) throws(FormatError) -> PixelImage {
    if data.starts(with: [0x89, 0x50, 0x4e, 0x47]) {
      return try PNG.decode(data, path: path, withTexts: false).image.upright(Orientation(data))
    }
    if data.starts(with: [0xff, 0xd8, 0xff]) {
      return try JPEG.decode(data, path: path).upright(Orientation(data))
    }
    if WebP.begins(data) { return try WebP.decode(data, path: path).upright(Orientation(data)) }
    if data.isEmpty { throw FormatError(path, nil, "the file is empty, expected a picture") }
    let start = data.prefix(4).map { byte in
      let digits = String(byte, radix: 16)
      return digits.count < 2 ? "0" + digits : digits
    }
    throw FormatError(
      path, nil,
      "is neither PNG, JPEG nor WebP: it starts with the bytes \(start.joined(separator: " "))")
  }
}

extension PixelImage {
  /// The picture with three channels: transparency is dropped, grey repeated.
  package var rgb: PixelImage {
    if channels == 3 { return self }
    let second = channels == 1 ? 0 : 1
    let third = channels == 1 ? 0 : 2
    return mapped(to: 3) { source, target in
      target.append(pixels[source])
      target.append(pixels[source + second])
      target.append(pixels[source + third])
    }
  }

  /// The picture's luma, `(19595 R + 38470 G + 7471 B + 32768) / 65536`, as Pillow's mode L.
  ///
  /// The weights are those of ITU-R BT.601 in 16 bits; grey stays as it is.
  package var gray: PixelImage {
    if channels == 1 { return self }
    return mapped(to: 1) { source, target in
      let (r, g, b) = (Int(pixels[source]), Int(pixels[source + 1]), Int(pixels[source + 2]))
      target.append(UInt8((19_595 * r + 38_470 * g + 7_471 * b + 0x8000) >> 16))
    }
  }

  /// Whether some pixels are more transparent than not.
  package var hasTransparency: Bool {
    channels == 4 && stride(from: 3, to: pixels.count, by: 4).contains { pixels[$0] < 128 }
  }

  /// What the picture marks as a mask, one channel: brightness times opacity.
  ///
  /// - Parameter path: what errors name.
  /// - Throws: for a picture that is dark but not black, such as one of label numbers.
  package func mask(path: String) throws(FormatError) -> PixelImage {
    var result = gray
    if channels == 4 {
      for place in result.pixels.indices {
        let product = Int(result.pixels[place]) * Int(pixels[place * 4 + 3])
        result.pixels[place] = UInt8((product + 127) / 255)
      }
    }
    let brightest = result.pixels.max() ?? 0
    guard brightest == 0 || brightest >= Self.leastMark else {
      throw FormatError(
        path, nil,
        "its brightest pixel is \(brightest) of 255, so it marks nothing wholly; a mask is white inside "
          + "and black outside, a picture of label numbers has to be made one first")
    }
    return result
  }

  /// Half inside; nothing that was meant as a mask is darker everywhere.
  private static let leastMark = 128

  /// The part of the picture from a place on; what lies outside is black.
  package func cropped(left: Int, top: Int, width: Int, height: Int) -> PixelImage {
    var result = PixelImage(
      width: width, height: height, channels: channels,
      pixels: [UInt8](repeating: 0, count: max(0, width * height * channels)))
    let columns = max(0, left)..<max(0, left, min(self.width, left + width))
    for y in max(0, top)..<max(0, top, min(self.height, top + height)) {
      let source = (y * self.width + columns.lowerBound) * channels
      let target = ((y - top) * width + columns.lowerBound - left) * channels
      let count = columns.count * channels
      result.pixels.replaceSubrange(
        target..<target + count, with: pixels[source..<source + count])
    }
    return result
  }

  /// The picture with left and right exchanged.
  package var mirrored: PixelImage {
    var result = self
    for y in 0..<height {
      for x in 0..<width {
        for c in 0..<channels {
          result.pixels[(y * width + x) * channels + c] =
            pixels[(y * width + width - 1 - x) * channels + c]
        }
      }
    }
    return result
  }

  /// Appends what a body makes of each pixel, given the index of its first byte.
  private func mapped(to channels: Int, _ body: (Int, inout [UInt8]) -> Void) -> PixelImage {
    var result: [UInt8] = []
    result.reserveCapacity(width * height * channels)
    for pixel in 0..<width * height { body(pixel * self.channels, &result) }
    return PixelImage(width: width, height: height, channels: channels, pixels: result)
  }
}
