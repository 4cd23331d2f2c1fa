import MoscDiffusion
import MoscFormats
import Testing

/// Concept words in prompts.
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
}
