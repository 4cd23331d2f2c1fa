import MoscDiffusion
import Testing

/// Tags where none are read.
@Suite struct LeftoverTagTests {
  @Test(arguments: [
    "red <lora:a:1>", "<lyco:b>", "a, <hypernet:c:0.5>, b", "<LORA:a:1>", "<lora:a:1> < <lora:b:1>",
    "<<lora:a:1>",
  ])
  func refuses(_ text: String) {
    let error = #expect(throws: PromptError.self) { try LeftoverTag.refuse(in: text, "region 1") }
    #expect(error?.description.contains("region 1") == true)
    #expect(error?.description.lowercased().contains("lora") == true)
  }

  @Test(arguments: ["a < b > c", "<cat1> <cat2>", "lora:a", "<a:b>", "", "<", "<lora>", "1 <3 :)"])
  func leavesWordsAlone(_ text: String) throws { try LeftoverTag.refuse(in: text, "x") }

  @Test func readsLorasInThePrompt() throws {
    try LeftoverTag.refuse(in: "a <lora:b:1>", "the prompt", readsLoras: true)
    #expect(throws: PromptError.self) {
      try LeftoverTag.refuse(in: "a <lyco:b:1>", "the prompt", readsLoras: true)
    }
  }
}
