import Foundation
import MoscFormats
import Testing

/// Generation parameters, hashes and name suggestions.
@Suite struct ParametersTests {
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

  /// Texts as other programs write them.
  @Test func foreignParameters() {
    let text = """
      masterpiece, (cat:1.2), <lora:x:0.8>\r
      Negative prompt: lowres,\r
      bad hands\r
      Steps: 20, Sampler: Euler a, CFG scale: 7, Size: 512x768, Hashes: {"model": "ab", \
      "vae": "cd"}, Lora hashes: "a: 12, b: 34", TI: "open, Version: v1.10
      """
    let found = GenerationParameters(parsing: text)
    #expect(found.prompt == "masterpiece, (cat:1.2), <lora:x:0.8>")
    #expect(found.negativePrompt == "lowres,\nbad hands")
    #expect(found["Sampler"] == "Euler a" && found["Size"] == "512x768")
    #expect(found["Hashes"] == "{\"model\": \"ab\", \"vae\": \"cd\"}")
    #expect(found["Lora hashes"] == "a: 12, b: 34")
    #expect(found["TI"] == "\"open" && found["Version"] == "v1.10")
    #expect(GenerationParameters(parsing: "a cat, style: oil, mood: calm").settings.isEmpty)
    for text in ["", "\n", ":", ",", "\"", "a: \"\\", "Steps: {", "Negative prompt:"] {
      #expect(GenerationParameters(parsing: text).settings.isEmpty)
    }
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
    let options = ["seed", "size", "rng", "mcpu", "steps", "negative-prompt"]
    // What is short has few letters that may be wrong.
    for far in ["vae", "hires", "neg", "mask", "x", ""] {
      #expect(NearestName.suggest(far, in: options) == nil, "\(far)")
    }
    for (near, meant) in [("sede", "seed"), ("stpes", "steps"), ("RNG", "rng"), ("stepz", "steps"), ("negativ-promt", "negative-prompt")] {
      #expect(NearestName.suggest(near, in: options) == meant)
    }
  }
}
