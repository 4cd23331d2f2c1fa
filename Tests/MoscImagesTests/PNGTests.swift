import Foundation
import MoscFormats
import MoscFuzz
import MoscImages
import Testing

/// PNG files with text, and damaged ones.
@Suite struct PNGTests {
  private let image = PixelImage(
    width: 5, height: 3, pixels: (0..<45).map { UInt8(truncatingIfNeeded: $0 * 37) })

  @Test func roundTripWithText() throws {
    let texts: [PNG.Text] = [("parameters", "a cat\nSteps: 20"), ("mosc", "{\"ü\": 1}")]
    let data = try PNG.encode(image, texts: texts)
    let (decoded, found) = try PNG.decode(data, path: "x.png")
    #expect(decoded == image)
    #expect(found.map(\.keyword) == ["parameters", "mosc"])
    #expect(found.map(\.text) == texts.map(\.text))
    #expect(try PNG.encode(image, texts: texts) == data)
  }

  @Test func otherColours() throws {
    let grey = PixelImage(width: 2, height: 1, channels: 1, pixels: [7, 200])
    let (decoded, _) = try PNG.decode(try PNG.encode(grey), path: "g.png")
    #expect(decoded.channels == 3 && decoded.pixels == [7, 7, 7, 200, 200, 200])
    let alpha = PixelImage(width: 1, height: 1, channels: 4, pixels: [1, 2, 3, 4])
    #expect(try PNG.decode(try PNG.encode(alpha), path: "a.png").image == alpha)
  }

  @Test func damageIsAnError() throws {
    let sound = [UInt8](try PNG.encode(image, texts: [("parameters", "x")]))
    for length in [0, 4, 8, 20, sound.count / 2, sound.count - 16] {
      #expect(throws: FormatError.self) {
        try PNG.decode(Data(sound.prefix(length)), path: "cut.png")
      }
    }
    var huge = sound
    for i in 16..<24 { huge[i] = 0x7f }
    #expect(throws: FormatError.self) { try PNG.decode(Data(huge), path: "huge.png") }
    var numbers = SeededNumbers(4)
    for _ in 0..<500 {
      var bytes = sound
      numbers.damage(&bytes)
      _ = try? PNG.decode(Data(bytes), path: "fuzz.png")
    }
  }

  @Test func wrongSizesAndPlacesAreErrors() throws {
    #expect(throws: FormatError.self) {
      try PNG.encode(PixelImage(width: 2, height: 2, pixels: [0]))
    }
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    #expect(throws: FormatError.self) {
      try PNG.write(image, to: folder.appending(path: "x.png"))
    }
    #expect(!FileManager.default.fileExists(atPath: folder.path))
  }

  /// Latin-1 text of other programs, empty text, and text that cannot be stored.
  @Test func textChunks() throws {
    var plain = [UInt8](try PNG.encode(image, texts: [("Comment", "caf#")]))
    let place = try #require(plain.indices.first { plain[$0...].starts(with: Array("caf#".utf8)) })
    plain[place + 3] = 0xe9
    Chunks.repair(&plain)
    #expect(try PNG.decode(Data(plain), path: "l.png").texts.map(\.text) == ["café"])
    let empty = try PNG.decode(try PNG.encode(image, texts: [("Comment", "")]), path: "e.png")
    #expect(empty.texts.map(\.text) == [""])
    for text in [("", "x"), (String(repeating: "k", count: 80), "x"), ("ü", "x"), ("k", "a\0b")] {
      #expect(throws: FormatError.self) { try PNG.encode(image, texts: [text]) }
    }
    let many = (0..<50).map { ("key\($0)", String(repeating: "long text, ", count: 1000 + $0)) }
    let decoded = try PNG.decode(try PNG.encode(image, texts: many), path: "m.png")
    #expect(decoded.texts.map(\.text) == many.map(\.1))
  }

  /// Sizes are looked at before memory is taken, on each side and in all.
  @Test(arguments: [(8193, 8192), (67_108_865, 1), (1, 67_108_865), (2_147_483_647, 2_147_483_647)])
  func refusesMorePixels(_ width: Int, _ height: Int) throws {
    var bytes = [UInt8](try PNG.encode(image))
    for (place, value) in [(16, width), (20, height)] {
      for i in 0..<4 { bytes[place + i] = UInt8(truncatingIfNeeded: value >> (24 - 8 * i)) }
    }
    Chunks.repair(&bytes)
    #expect { try PNG.decode(Data(bytes), path: "b.png") } throws: { "\($0)".contains("b.png: ") }
    #expect(throws: FormatError.self) { try ImageFile.decode(Data(bytes), path: "b.png") }
  }

  /// Texts are kept only where they are asked for, and then not without end.
  @Test func textsAreBounded() throws {
    let long = try PNG.encode(image, texts: [("long", String(repeating: "x", count: 5 << 20))])
    #expect(try ImageFile.decode(long, path: "l.png").pixels.count == image.pixels.count)
    let many = try PNG.encode(image, texts: (0..<500).map { ("key \($0)", "text") })
    #expect(try ImageFile.decode(many, path: "m.png").pixels.count == image.pixels.count)
    #expect((50...64).contains(try PNG.decode(many, path: "m.png").texts.count))
  }

  /// Mutations whose checksums are right again, so that they reach the decoder proper.
  @Test func repairedMutationsNeverCrash() throws {
    let sound = [UInt8](try PNG.encode(image, texts: [("parameters", "x"), ("mosc", "ü")]))
    var numbers = SeededNumbers(99)
    var decoded = 0
    for _ in 0..<1000 {
      var bytes = sound
      // Widths and heights stay small: large ones only cost memory.
      for _ in 0...numbers.below(3) {
        let place = 19 + numbers.below(bytes.count - 19)
        if !(20...22).contains(place) { bytes[place] = UInt8(numbers.below(256)) }
      }
      Chunks.repair(&bytes)
      if (try? PNG.decode(Data(bytes), path: "fuzz.png")) != nil { decoded += 1 }
    }
    #expect(decoded > 0 && decoded < 1000)
  }
}

/// The chunk structure of PNG files.
private enum Chunks {
  /// Makes the checksum of every chunk right, as far as lengths lead to chunks.
  static func repair(_ bytes: inout [UInt8]) {
    var position = 8
    while position + 12 <= bytes.count {
      let length = bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
      let end = position + 8 + length
      guard end + 4 <= bytes.count else { return }
      let sum = checksum(bytes[position + 4..<end])
      for i in 0..<4 { bytes[end + i] = UInt8(truncatingIfNeeded: sum >> (24 - 8 * i)) }
      position = end + 4
    }
  }

  /// CRC-32 as PNG, annex D, defines it.
  private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    ~bytes.reduce(~0) { sum, byte in
      (0..<8).reduce(sum ^ UInt32(byte)) { value, _ in
        value & 1 == 1 ? value >> 1 ^ 0xedb8_8320 : value >> 1
      }
    }
  }
}
