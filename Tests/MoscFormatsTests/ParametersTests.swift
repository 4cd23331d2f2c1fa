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
    #expect(GenerationParameters.number(7.5) == "7.5")
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
