import Foundation
import MoscDiffusion
import MoscFormats
import MoscImages

/// What a part of a picture shows, and what would be wrong about it:
///
///     {"box": [0, 0, 0.5, 1], "caption": "a cat", "wrong": "a dog"}
///
/// where the box has the left, top, right and bottom edge in shares of the picture. A judge that says of a picture
/// what is there, but hardly on which side, says of its halves what is on which.
struct PicturePart: Hashable, Sendable {
  var box: RegionBox
  var caption: String
  var wrong: String

  /// Reads the member `parts` of an object, a list; nothing where there is none.
  static func list(_ value: JSONValue?, error: (String) -> FormatError) throws -> [PicturePart] {
    guard let value else { return [] }
    guard let list = value.array else { throw error("'parts' is \(value.kindName), expected a list") }
    return try list.map { item in
      guard let caption = item["caption"]?.string, let wrong = item["wrong"]?.string,
        let box = item["box"]?.array?.compactMap(\.double), box.count == 4,
        box.allSatisfy((0...1).contains), box[0] < box[2], box[1] < box[3]
      else {
        throw error(
          "expected parts with 'box', left < right and top < bottom from 0 to 1, and the texts 'caption' and 'wrong'")
      }
      return PicturePart(
        box: RegionBox(left: box[0], top: box[1], right: box[2], bottom: box[3]), caption: caption, wrong: wrong)
    }
  }

  /// The spelling that can be read again.
  var json: JSONValue {
    .object([
      .init("box", .array([box.left, box.top, box.right, box.bottom].map { .double($0) })),
      .init("caption", .string(caption)), .init("wrong", .string(wrong)),
    ])
  }
}

extension PixelImage {
  /// The smallest rectangle around a box in shares of the picture.
  func part(in box: RegionBox) -> PixelImage {
    let left = Int(box.left * Double(width))
    let top = Int(box.top * Double(height))
    return cropped(
      left: left, top: top, width: max(1, Int((box.right * Double(width)).rounded(.up)) - left),
      height: max(1, Int((box.bottom * Double(height)).rounded(.up)) - top))
  }

  /// As large a square as the longer side, the picture in its middle and its edges drawn out.
  var squared: PixelImage {
    let side = max(width, height)
    let (left, top) = ((side - width) / 2, (side - height) / 2)
    var result = PixelImage(width: side, height: side, channels: channels, pixels: [])
    result.pixels.reserveCapacity(side * side * channels)
    for y in 0..<side {
      let row = min(height - 1, max(0, y - top)) * width
      for x in 0..<side {
        let pixel = (row + min(width - 1, max(0, x - left))) * channels
        result.pixels += pixels[pixel..<pixel + channels]
      }
    }
    return result
  }
}
