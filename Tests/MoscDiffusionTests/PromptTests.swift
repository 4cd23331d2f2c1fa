import MoscDiffusion
import MoscFormats
import Testing

/// Concept words and adapter tags in prompts.
@Suite struct PromptTests {
  private let binder = PromptBinder(
    words: [
      ConceptWord(
        "<a1>", tokenNames: (0..<4).map { "<new\($0)>" }, tokenIDs: (0..<4).map { 10 + $0 }),
      ConceptWord("<b>", tokenNames: ["<new4>"], tokenIDs: [14]),
    ], layers: 4)

  @Test func wordsBecomeTokensOfTheirLayer() throws {
    #expect(
      try binder.bind("a <a1> and <b>, <a1>")
        == (0..<4).map { "a <new\($0)> and <new4>, <new\($0)>" })
    #expect(try binder.bind("a cat, 1 < 2") == ["a cat, 1 < 2"])
    #expect(binder.isLayerwise("<a1>") && !binder.isLayerwise("a <b>"))
  }

  @Test func unknownWordsAreErrors() {
    #expect {
      try binder.bind("a <a2>")
    } throws: { "\($0)".contains("<a2>") && "\($0)".contains("<a1>") }
    #expect {
      try PromptBinder(words: [], layers: 4).bind("a <hina1>")
    } throws: { "\($0)".contains("--lora") }
  }

  @Test func tags() throws {
    let (prompt, tags) = try LoraTag.take(
      from: "a fox <lora:one>, <lora:two:0.5> on grass <lora:three:0.2:0.4><lora:four:unet=2:te=1>")
    #expect(prompt == "a fox, on grass")
    #expect(
      tags == [
        LoraTag(name: "one", textEncoder: 1, unet: 1),
        LoraTag(name: "two", textEncoder: 0.5, unet: 0.5),
        LoraTag(name: "three", textEncoder: 0.2, unet: 0.4),
        LoraTag(name: "four", textEncoder: 1, unet: 2),
      ])
    for bad in ["<lora:>", "<lora:x:y>", "<lora:x:1:2:3>", "<lora:x:lbw=1>"] {
      #expect(throws: PromptError.self, "\(bad)") { try LoraTag.take(from: bad) }
    }
  }
}
