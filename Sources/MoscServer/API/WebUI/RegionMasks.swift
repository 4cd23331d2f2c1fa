import Foundation
import MoscFormats
import MoscImages

/// Masks that scripts send as pictures.
package enum RegionMasks {
  private static let prefix = "data:image/png;base64,"

  /// A mask in the picture's size as a text that regions hold.
  static func text(_ base64: String, width: Int, height: Int) throws -> String {
    try text(UploadedPicture.image(base64, field: "mask").mask(path: "mask"), width: width, height: height)
  }

  static func text(_ mask: PixelImage, width: Int, height: Int) throws -> String {
    var mask = mask
    if mask.width != width || mask.height != height { mask = try mask.resized(width: width, height: height, .bilinear) }
    return prefix + (try PNG.encode(mask)).base64EncodedString()
  }

  /// The mask of each painted colour of a picture, in the order of colours.
  ///
  /// Region i has the hue 0, 1/2, 1/4, 3/4, 1/8 … at half saturation and value; pixels of other saturation
  /// or value, 0.49…0.51 being taken, are unpainted. Source: sd-webui-regional-prompter, `regions.py`.
  ///
  /// - Returns: a mask per region of `count`, and the one of unpainted pixels.
  static func painted(_ image: PixelImage, count: Int) -> (regions: [PixelImage], rest: PixelImage) {
    let rgb = image.rgb
    func empty() -> PixelImage {
      PixelImage(width: rgb.width, height: rgb.height, channels: 1, pixels: [UInt8](repeating: 0, count: rgb.width * rgb.height))
    }
    var regions = (0..<count).map { _ in empty() }
    var rest = empty()
    let hues = (0..<count).map(hue)
    for pixel in 0..<rgb.width * rgb.height {
      let (r, g, b) = (Double(rgb.pixels[pixel * 3]), Double(rgb.pixels[pixel * 3 + 1]), Double(rgb.pixels[pixel * 3 + 2]))
      let (high, low) = (max(r, g, b), min(r, g, b))
      let (value, saturation) = (high / 255, high > 0 ? (high - low) / high : 0)
      guard (0.49...0.51).contains(value), (0.49...0.51).contains(saturation) else {
        rest.pixels[pixel] = 255
        continue
      }
      let span = high - low
      var found = high == r ? (g - b) / span : high == g ? 2 + (b - r) / span : 4 + (r - g) / span
      found = (found / 6 + 1).truncatingRemainder(dividingBy: 1)
      let nearest = hues.indices.min { distance(hues[$0], found) < distance(hues[$1], found) }
      if let nearest, distance(hues[nearest], found) < 0.02 { regions[nearest].pixels[pixel] = 255 } else { rest.pixels[pixel] = 255 }
    }
    return (regions, rest)
  }

  /// The hue of a region: the bits of its number, mirrored behind the point.
  package static func hue(_ number: Int) -> Double {
    var (result, step, number) = (0.0, 0.5, number)
    while number > 0 {
      if number & 1 == 1 { result += step }
      (step, number) = (step / 2, number >> 1)
    }
    return result
  }

  private static func distance(_ a: Double, _ b: Double) -> Double {
    let difference = abs(a - b)
    return min(difference, 1 - difference)
  }
}
