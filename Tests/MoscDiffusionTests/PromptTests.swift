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

  /// What a tag stands between goes or stays as it did when one expression found it.
  @Test(arguments: [
    ("a \n\t <lora:x> b", "a b", 1), ("<lora:x>, b", "b", 1), ("a<lora:x", "a<lora:x", 0),
    ("a <b <lora:x>> c", "a <b> c", 1), ("<lora:<lora:x>", "<lora:", 1), ("a < b > c", "a < b > c", 0),
    ("<Lora:x>", "<Lora:x>", 0), ("<lora:x> <lora:y>", "", 2), ("a  <c>  ", "a  <c>  ", 0),
  ])
  func tagsAmongOtherText(_ text: String, _ rest: String, _ count: Int) throws {
    let (prompt, tags) = try LoraTag.take(from: text)
    #expect(prompt == rest && tags.count == count)
  }

  /// Sizes at which any search from each place on would take hours.
  @Test func longPrompts() throws {
    let size = 200_000
    for (filling, kept) in [(" ", 0), ("\t\n", 0), ("<", 1), ("<lora:", 6), (">", 1), ("<lora", 5)] {
      let text = String(repeating: filling, count: size / filling.count)
      let (prompt, tags) = try LoraTag.take(from: "a\(text)<lora:x>")
      #expect(tags.count == 1 && prompt.count == 1 + (kept > 0 ? text.count : 0), "\(filling)")
    }
    let many = String(repeating: "  <lora:x>", count: 20_000)
    #expect(try LoraTag.take(from: many).tags.count == 20_000)
  }
}
