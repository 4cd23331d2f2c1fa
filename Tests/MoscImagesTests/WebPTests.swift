import Foundation
import MoscFormats
import MoscFuzz
import MoscImages
import TestSupport
import Testing

/// WebP files that are read and written, with the texts that other programs look for.
@Suite struct WebPTests {
  /// A smooth picture of odd sides, so that chunks have odd sizes, too.
  private let image: PixelImage

  init() {
    var pixels: [UInt8] = []
    for y in 0..<17 {
      for x in 0..<25 { pixels += [UInt8(10 * x), UInt8(15 * y), 90] }
    }
    image = PixelImage(width: 25, height: 17, pixels: pixels)
  }

  private let texts: [PNG.Text] = [("parameters", "ein Füchslein 🦊\nSteps: 2"), ("mosc", "{\"a: b\": 1}")]

  @Test func picturesAndTextsComeBack() throws {
    let data = try WebP.encode(image, texts: texts)
    let decoded = try ImageFile.decode(data, path: "a.webp")
    #expect(decoded.width == 25 && decoded.height == 17 && decoded.channels == 3)
    #expect(zip(decoded.pixels, image.pixels).allSatisfy { abs(Int($0) - Int($1)) < 16 })
    let found = try ImageFile.texts(data, path: "a.webp")
    #expect(found.map(\.keyword) == texts.map(\.keyword) && found.map(\.text) == texts.map(\.text))
    #expect(try WebP.encode(image, texts: texts) == data)
    #expect(WebP.texts(try WebP.encode(image)).isEmpty)
    let only = WebP.texts(try WebP.encode(image, texts: [texts[1]]))
    #expect(only.map(\.text) == ["{\"a: b\": 1}"])
    // A text of a megabyte, which a JPEG file cannot hold.
    let long = String(repeating: "ü", count: 1 << 19)
    #expect(WebP.texts(try WebP.encode(image, texts: [("parameters", long)])).first?.text == long)
    #expect(PictureFormat("a.WEBP") == .webp)
    #expect(try PictureFormat.webp.encode(image, texts: texts) == data)
  }

  @Test func greyBecomesColour() throws {
    let grey = PixelImage(width: 8, height: 8, channels: 1, pixels: [UInt8](repeating: 77, count: 64))
    let decoded = try ImageFile.decode(try WebP.encode(grey), path: "g.webp")
    #expect(decoded.pixels.count == 192 && decoded.pixels.allSatisfy { abs(Int($0) - 77) < 3 })
  }

  @Test func whatCannotBeWrittenIsAnError() {
    #expect(throws: FormatError.self) {
      try WebP.encode(PixelImage(width: 1, height: 1, channels: 4, pixels: [1, 2, 3, 4]))
    }
    #expect {
      try WebP.encode(PixelImage(width: 20_000, height: 1, channels: 1, pixels: [UInt8](repeating: 0, count: 20_000)))
    } throws: { "\($0)".contains("16383") }
    #expect(throws: FormatError.self) {
      try WebP.encode(image, texts: ["a", "b", "c", "d"].map { ($0, $0) })
    }
  }

  /// Files of Pillow: EXIF with an orientation, A1111's comment and ComfyUI's text under a camera's tag.
  @Test func filesOfOthers() throws {
    let url = Goldens.url("pillow/turned.webp")
    #expect(try ImageFile.read(url).width == 31)
    let texts = try ImageFile.texts(try Data(contentsOf: url), path: "")
    #expect(texts.map(\.keyword) == ["parameters", "prompt"])
    #expect(texts.map(\.text) == ["a fox\nSteps: 2", "{}"])
    #expect { try ImageFile.read(Goldens.url("pillow/moving.webp")) } throws: { "\($0)".contains("is an animation") }
  }

  /// A file of some bytes that asks for gigabytes is refused before they are taken.
  @Test func hugeSizesAreRefused() throws {
    var bytes = [UInt8](try WebP.encode(image, texts: texts))
    // Width and height less one, 24 bits each, of the extended header; the picture's own stay small.
    bytes.replaceSubrange(24..<30, with: [0xff, 0x3f, 0, 0xff, 0x3f, 0])
    #expect { try ImageFile.decode(Data(bytes), path: "huge.webp") } throws: {
      "\($0)".contains("huge.webp: cannot be read as WebP")
    }
    var plain = [UInt8](try WebP.encode(image))
    // The frame of a lossy picture begins with its sides in 14 bits.
    plain.replaceSubrange(26..<30, with: [0xff, 0x3f, 0xff, 0x3f])
    #expect { try ImageFile.decode(Data(plain), path: "huge.webp") } throws: {
      "\($0)".contains("expected at most 67108864")
    }
  }

  @Test(arguments: ["lossy.webp", "alpha.webp", "turned.webp", "moving.webp"])
  func damageIsAnError(name: String) throws {
    let sound = [UInt8](try Data(contentsOf: Goldens.url("pillow/\(name)")))
    for length in [0, 3, 11, 12, 20, 29, sound.count / 2] {
      let error = #expect(throws: FormatError.self) {
        try ImageFile.decode(Data(sound.prefix(length)), path: "cut.webp")
      }
      #expect(error?.description.hasPrefix("cut.webp: ") == true)
      _ = WebP.texts(Data(sound.prefix(length)))
    }
    var numbers = SeededNumbers(13)
    for _ in 0..<300 {
      var bytes = sound
      numbers.damage(&bytes)
      _ = try? ImageFile.decode(Data(bytes), path: "fuzz.webp")
      #expect(WebP.texts(Data(bytes)).count <= 4)
    }
  }
}
