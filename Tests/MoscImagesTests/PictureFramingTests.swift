import Foundation
import MoscFormats
import MoscImages
import TestSupport
import Testing

/// What CLIP sees of pictures of any shape, against Pillow.
@Suite struct PictureFramingTests {
  @Test func framesAreThoseOfThePillow() throws {
    let source = try ImageFile.read(Goldens.url("pillow/source.png"))
    let golden = try JSONObject(contentsOf: Goldens.url("clip/pictures.json"))
    let side = try golden.int("side")
    let cases = try #require(golden["cases"]?.array)
    #expect(cases.count == 5)
    for entry in cases {
      let box = try #require(entry["box"]?.array).compactMap(\.int)
      var picture = source.cropped(
        left: box[0], top: box[1], width: box[2] - box[0], height: box[3] - box[1])
      if let size = entry["nearest"]?.array?.compactMap(\.int) {
        picture = try picture.resized(width: size[0], height: size[1], .nearest)
      }
      let framed = try picture.framed(edge: side, crop: side)
      #expect(framed.width == side && framed.height == side)
      #expect(
        FileHash.sha256(Data(framed.pixels)) == entry["sha256"]?.string, "\(entry["name"]?.string ?? "")")
    }
  }

  @Test func nothingToFrame() {
    #expect(throws: FormatError.self) {
      try PixelImage(width: 0, height: 3, pixels: []).framed(edge: 4, crop: 4)
    }
  }
}
