import Foundation
import MoscFormats
import Testing

/// PNG files with text, and the generation parameters they carry.
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
    var state: UInt64 = 4
    for _ in 0..<500 {
      var bytes = sound
      for _ in 0..<3 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        bytes[Int(state >> 33) % bytes.count] = UInt8(truncatingIfNeeded: state >> 20)
      }
      _ = try? PNG.decode(Data(bytes), path: "fuzz.png")
    }
  }

  @Test func wrongSizesAndPlacesAreErrors() throws {
    #expect(throws: FormatError.self) {
      try PNG.encode(PixelImage(width: 2, height: 2, pixels: [0]))
    }
    #expect(throws: FormatError.self) {
      try PNG.write(image, to: URL(filePath: "/nonexistent/x.png"))
    }
  }

  @Test func generationParameters() throws {
    let parameters = GenerationParameters(
      prompt: "a cat\non grass", negativePrompt: "dog, blurry",
      settings: [
        .init("Steps", "20"), .init("Sampler", "DPM++ 2M"),
        .init("CFG scale", GenerationParameters.number(7)),
        .init("Lora hashes", "a: 12, \"b\": 34"), .init("Size", "64x96"),
      ])
    #expect(
      parameters.text == """
        a cat
        on grass
        Negative prompt: dog, blurry
        Steps: 20, Sampler: DPM++ 2M, CFG scale: 7, Lora hashes: "a: 12, \\"b\\": 34", Size: 64x96
        """)
    #expect(GenerationParameters(parsing: parameters.text) == parameters)
    #expect(GenerationParameters.number(7.5) == "7.5")
    let plain = GenerationParameters(parsing: "only a prompt")
    #expect(plain.prompt == "only a prompt" && plain.settings.isEmpty)
  }

  @Test func hashes() throws {
    let url = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: url) }
    try Data("abc".utf8).write(to: url)
    let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    #expect(try FileHash.sha256(of: url) == known)
    #expect(FileHash.sha256(Data("abc".utf8)) == known)
  }

  @Test func nearestNames() {
    let names = ["conv_in.weight", "conv_out.weight", "conv_in.bias"]
    #expect(NearestName.suggest("conv_in.wieght", in: names) == "conv_in.weight")
    #expect(NearestName.suggest("zzzzzzzzzzzzzzzz", in: names) == nil)
  }
}
