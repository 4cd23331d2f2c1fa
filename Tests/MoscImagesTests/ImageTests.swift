import Foundation
import MoscFormats
import MoscFuzz
import MoscImages
import TestSupport
import Testing

/// Reading and resizing pictures, byte for byte as Pillow does it.
@Suite struct ImageTests {
  private func golden(_ name: String) -> URL { Goldens.url("pillow/\(name)") }

  private func json(_ name: String) throws -> JSONValue {
    try JSONValue.parse(try Data(contentsOf: golden(name)), path: name)
  }

  @Test(arguments: [
    "gray.png", "rgb.png", "rgba.png", "palette.png", "gray16.png", "s420.jpg", "s444.jpg",
    "progressive.jpg", "gray.jpg", "cmyk.jpg", "lossy.webp", "alpha.webp",
  ])
  func reads(name: String) throws {
    let image = try ImageFile.read(golden(name))
    #expect(image.channels == (["rgba.png", "alpha.webp"].contains(name) ? 4 : 3))
    let expected = try json("expected.json")[name]?.string
    #expect(FileHash.sha256(image.pixels) == expected)
  }

  @Test func resizesLikePillow() throws {
    let source = try ImageFile.read(golden("source.png"))
    let gray = source.gray
    let file = try json("resize.json")
    #expect(FileHash.sha256(gray.pixels) == file["gray"]?.string)
    let cases = try #require(file["cases"]?.array)
    #expect(cases.count == 48)
    for entry in cases {
      let filter = try #require(ResamplingFilter(rawValue: entry["filter"]?.string ?? ""))
      let (width, height) = (entry["width"]?.int ?? 0, entry["height"]?.int ?? 0)
      let image = entry["mode"]?.string == "L" ? gray : source
      let result = try image.resized(width: width, height: height, filter)
      #expect(result.width == width && result.height == height)
      #expect(
        FileHash.sha256(result.pixels) == entry["sha256"]?.string,
        "\(filter) \(width)x\(height): \(result.pixels.prefix(12)) is not \(entry)")
    }
  }

  @Test func refusesImpossibleSizes() {
    let image = PixelImage(width: 2, height: 2, channels: 1, pixels: [1, 2, 3, 4])
    #expect(throws: FormatError.self) { try image.resized(width: 0, height: 3, .bilinear) }
    let torn = PixelImage(width: 2, height: 2, channels: 3, pixels: [1, 2, 3, 4])
    #expect(throws: FormatError.self) { try torn.resized(width: 1, height: 1, .lanczos) }
  }

  @Test func cropsAndMirrors() {
    let image = PixelImage(width: 3, height: 2, channels: 1, pixels: [1, 2, 3, 4, 5, 6])
    #expect(image.cropped(left: 1, top: 0, width: 2, height: 2).pixels == [2, 3, 5, 6])
    #expect(image.cropped(left: -1, top: 1, width: 2, height: 2).pixels == [0, 4, 0, 0])
    #expect(image.cropped(left: 5, top: 5, width: 1, height: 1).pixels == [0])
    #expect(image.mirrored.pixels == [3, 2, 1, 6, 5, 4])
    #expect(image.rgb.pixels.prefix(6) == [1, 1, 1, 2, 2, 2])
  }

  /// Damaged files must become errors or pictures, never the end of the program.
  @Test(arguments: ["s420.jpg", "progressive.jpg", "cmyk.jpg"])
  func damagedJPEGs(name: String) throws {
    let sound = [UInt8](try Data(contentsOf: golden(name)))
    for length in [0, 2, 3, 20, sound.count / 2, sound.count - 40] {
      let error = #expect(throws: FormatError.self) {
        try ImageFile.decode(Data(sound.prefix(length)), path: "cut.jpg")
      }
      #expect(error?.description.hasPrefix("cut.jpg: ") == true)
    }
    var numbers = SeededNumbers(11)
    for _ in 0..<400 {
      var bytes = sound
      numbers.damage(&bytes)
      _ = try? ImageFile.decode(Data(bytes), path: "fuzz.jpg")
    }
  }

  @Test func unknownFilesAreNamed() throws {
    let text = #expect(throws: FormatError.self) {
      try ImageFile.decode(Data("GIF89a".utf8), path: "x.gif")
    }
    #expect(text?.path == "x.gif")
    #expect(text?.message == "is neither PNG, JPEG nor WebP: it starts with the bytes 47 49 46 38")
    #expect(throws: FormatError.self) { try ImageFile.read(golden("absent.png")) }
  }

  @Test func hugeJPEGIsRefused() throws {
    var bytes = [UInt8](try Data(contentsOf: golden("s444.jpg")))
    let frame = try #require(
      bytes.indices.dropLast(9).first { bytes[$0] == 0xff && bytes[$0 + 1] == 0xc0 })
    for i in frame + 5..<frame + 9 { bytes[i] = 0x9f }
    let error = #expect(throws: FormatError.self) {
      try ImageFile.decode(Data(bytes), path: "huge.jpg")
    }
    #expect(error?.message.contains("expected at most 67108864") == true)
  }
}

/// The edges of pictures.
@Suite struct SketchTests {
  /// A disc on a ground, with grey values.
  private func disc(_ inside: UInt8, _ outside: UInt8, _ side: Int = 64) -> PixelImage {
    let pixels = (0..<side * side).map { place -> UInt8 in
      let (x, y) = (place % side - side / 2, place / side - side / 2)
      return x * x + y * y < side * side / 9 ? inside : outside
    }
    return PixelImage(width: side, height: side, channels: 1, pixels: pixels)
  }

  @Test func drawsTheOutline() throws {
    let sketch = try SketchExtractor()(disc(220, 30))
    #expect(sketch.width == 64 && sketch.channels == 1)
    let radius = 64.0 / 3
    for y in 0..<64 {
      for x in 0..<64 {
        let distance = abs(hypot(Double(x - 32), Double(y - 32)) - radius)
        let value = sketch.pixels[y * 64 + x]
        if distance < 0.5 { #expect(value > 100, "\(x) \(y)") }
        if distance > 5 { #expect(value == 0, "\(x) \(y)") }
      }
    }
  }

  @Test func seesColourWithoutBrightness() throws {
    var image = disc(0, 0).rgb
    let mask = disc(1, 0)
    // Two colours of equal luma.
    for i in mask.pixels.indices {
      image.pixels.replaceSubrange(
        3 * i..<3 * i + 3, with: mask.pixels[i] == 1 ? [200, 0, 0] : [0, 102, 0])
    }
    #expect(try SketchExtractor()(image).pixels.contains { $0 > 200 })
  }

  @Test func thresholdsCount() throws {
    let faint = disc(120, 110)
    #expect(try SketchExtractor()(faint).pixels.allSatisfy { $0 == 0 })
    #expect(try SketchExtractor(low: 0.01, high: 0.02)(faint).pixels.contains { $0 > 200 })
    for wrong in [
      SketchExtractor(blur: 0), SketchExtractor(low: 0.3, high: 0.2), SketchExtractor(high: .nan),
      SketchExtractor(lineWidth: -1),
    ] {
      #expect(throws: FormatError.self) { try wrong(faint) }
    }
  }

  /// Enlarging is bounded on the way, too: the rows come first.
  @Test(arguments: [(1 << 14, 1 << 13), (1 << 27, 1), (1, 1 << 27), (Int.max, Int.max), (1 << 20, 2)])
  func refusesLargeResults(_ width: Int, _ height: Int) throws {
    let image = PixelImage(width: 1, height: 100, channels: 1, pixels: [UInt8](repeating: 7, count: 100))
    for filter in [ResamplingFilter.bicubic, .nearest] {
      #expect { try image.resized(width: width, height: height, filter) } throws: {
        "\($0)".contains("expected at most 67108864 pixels")
      }
    }
  }

  @Test func refusesLargeSketches() {
    let image = PixelImage(
      width: 4097, height: 4096, channels: 1, pixels: [UInt8](repeating: 0, count: 4097 * 4096))
    #expect { try SketchExtractor()(image) } throws: { "\($0)".contains("4097x4096") }
  }
}
