import Foundation
import MoscFormats
import MoscFuzz
import MoscImages
import Testing

/// JPEG files that are written, with the texts that other programs look for.
@Suite struct JPEGWriterTests {
  /// A smooth picture, which JPEG keeps well.
  private let image: PixelImage

  init() {
    var pixels: [UInt8] = []
    for y in 0..<17 {
      for x in 0..<24 { pixels += [UInt8(10 * x), UInt8(15 * y), 90] }
    }
    image = PixelImage(width: 24, height: 17, pixels: pixels)
  }

  private let texts: [PNG.Text] = [("parameters", "ein Füchslein 🦊\nSteps: 2"), ("mosc", "{\"a: b\": 1}")]

  @Test func picturesAndTextsComeBack() throws {
    let data = try JPEG.encode(image, texts: texts)
    let decoded = try ImageFile.decode(data, path: "a.jpg")
    #expect(decoded.width == 24 && decoded.height == 17)
    #expect(zip(decoded.pixels, image.pixels).allSatisfy { abs(Int($0) - Int($1)) < 12 })
    let found = JPEG.texts(data)
    #expect(found.map(\.keyword) == texts.map(\.keyword) && found.map(\.text) == texts.map(\.text))
    #expect(try JPEG.encode(image, texts: texts) == data)
    #expect(JPEG.texts(try JPEG.encode(image)).isEmpty)
  }

  @Test func greyStaysGrey() throws {
    let grey = PixelImage(width: 8, height: 8, channels: 1, pixels: [UInt8](repeating: 77, count: 64))
    #expect(try ImageFile.decode(try JPEG.encode(grey), path: "g.jpg").pixels.allSatisfy { $0 == 77 })
  }

  @Test func whatCannotBeWrittenIsAnError() {
    let long = String(repeating: "x", count: 40_000)
    #expect { try JPEG.encode(image, texts: [("parameters", long)]) } throws: { "\($0)".contains(".png") }
    #expect(throws: FormatError.self) {
      try JPEG.encode(PixelImage(width: 1, height: 1, channels: 4, pixels: [1, 2, 3, 4]))
    }
    #expect(throws: FormatError.self) {
      try JPEG.encode(PixelImage(width: 70_000, height: 1, channels: 1, pixels: [UInt8](repeating: 0, count: 70_000)))
    }
  }

  /// Little-endian files with ASCII and with UTF-16 of either order, as other writers make them.
  @Test(arguments: [
    Array("ASCII\0\0\0hi".utf8), Array("UNICODE\0".utf8) + [0, 104, 0, 105],
    Array("UNICODE\0".utf8) + [104, 0, 105, 0],
  ])
  func commentsOfOthers(comment: [UInt8]) {
    let tiff: [UInt8] = [73, 73, 42, 0, 8, 0, 0, 0, 1, 0, 0x69, 0x87, 4, 0, 1, 0, 0, 0, 26, 0, 0, 0, 0, 0, 0, 0,
      1, 0, 0x86, 0x92, 7, 0, UInt8(comment.count), 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0] + comment
    let segment = Array("Exif\0\0".utf8) + tiff
    let file = [0xff, 0xd8, 0xff, 0xe1, 0, UInt8(segment.count + 2)] + segment + [0xff, 0xd9]
    #expect(JPEG.texts(Data(file)).map(\.text) == ["hi"])
  }

  @Test func damageIsLeftOut() throws {
    let sound = [UInt8](try JPEG.encode(image, texts: texts))
    for length in 0..<400 { _ = JPEG.texts(Data(sound.prefix(length))) }
    var numbers = SeededNumbers(9)
    for _ in 0..<500 {
      var bytes = Array(sound.prefix(300))
      numbers.damage(&bytes)
      #expect(JPEG.texts(Data(bytes)).count <= 100)
    }
  }
}
