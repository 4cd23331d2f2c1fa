import Foundation
import MoscFormats
import MoscPrompts
import TestSupport
import Testing

/// Styles, choices and lines of prompt files.
@Suite struct ExpansionTests {
  private let scratch = Scratch()

  @Test func styles() throws {
    let file = try scratch.write(
      "styles.csv",
      "name,prompt,negative_prompt\r\nInk,\"ink drawing, {prompt}, \"\"wash\"\"\",colour\nOld,\"aged\nphoto\",\n")
    let styles = try PromptStyles(contentsOf: file)
    #expect(styles.styles.map(\.name) == ["Ink", "Old"])
    let chosen = try styles.named(["Ink", "Old"])
    #expect(
      PromptStyles.apply(chosen.map(\.prompt), to: "a cat")
        == "ink drawing, a cat, \"wash\", aged\nphoto")
    #expect(PromptStyles.apply(chosen.map(\.negativePrompt), to: "") == "colour")
    #expect { try styles.named(["Inc"]) } throws: { "\($0)".contains("'Ink'") }
    let open = try scratch.write("open.csv", "name,prompt\na,\"b")
    #expect { try PromptStyles(contentsOf: open) } throws: { "\($0)".contains("line 2") }
    let other = try scratch.write("other.csv", "a,b\n")
    #expect { try PromptStyles(contentsOf: other) } throws: { "\($0)".contains("negative_prompt") }
  }

  @Test func choices() throws {
    _ = try scratch.write("animal.txt", "# animals\ncat\ndog\n\n{red|blue} fox\n")
    _ = try scratch.write("loop.txt", "a __loop__\n")
    _ = try scratch.write("empty.txt", "# nothing\n")
    let folder = scratch.url
    func expand(_ text: String, _ seed: UInt64) throws -> String {
      var wildcards = Wildcards(folder: folder, seed: seed)
      return try wildcards.expand(text)
    }
    let drawn = try (0..<200).map { try expand("a {red|green|{pale|dark} blue} ball", $0) }
    #expect(
      Set(drawn) == ["a red ball", "a green ball", "a pale blue ball", "a dark blue ball"])
    #expect(try expand("{a|b|c|d} {a|b|c|d}", 7) == (try expand("{a|b|c|d} {a|b|c|d}", 7)))
    let animals = try Set((0..<200).map { try expand("__animal__", $0) })
    #expect(animals == ["cat", "dog", "red fox", "blue fox"])
    // Weights, and what is no choice.
    #expect(try (0..<20).allSatisfy { try expand("{0::a|b}", $0) == "b" })
    for text in ["{a}", "snake_case__name", "\\{a|b\\}", "[a|b]", "{[a|b]}"] {
      #expect(try expand(text, 1) == text)
    }
    #expect { try expand("__loop__", 1) } throws: { "\($0)".contains("name themselves") }
    #expect { try expand("__empty__", 1) } throws: { "\($0)".contains("no line") }
    #expect { try expand("__none__", 1) } throws: { "\($0)".contains("none.txt") }
    #expect { try expand("__../animal__", 1) } throws: { "\($0)".contains("outside") }
    #expect { try expand("{x::a|b}", 1) } throws: { "\($0)".contains("weight") }
    var without = Wildcards(folder: nil, seed: 1)
    #expect(try without.expand("a __animal__") == "a __animal__")
    #expect(without.unresolved == ["__animal__"])
  }

  @Test func promptLines() throws {
    let line = try PromptLine(
      "a cat, on grass --n blurry, dark --w 512 --h 768 --s 30 --d 1,2 --l 7.5", path: "p.txt",
      number: 3)
    #expect(line.prompt == "a cat, on grass" && line.negativePrompt == "blurry, dark")
    #expect(line.width == 512 && line.height == 768 && line.steps == 30)
    #expect(line.seeds == [1, 2] && line.guidance == 7.5 && line.hasOptions)
    for (text, part) in [("a --q 1", "--q"), ("a --w x", "--w"), ("a --d -1", "--d"), ("a --s 0", "--s")] {
      #expect {
        try PromptLine(text, path: "p.txt", number: 4)
      } throws: { "\($0)".contains(part) && "\($0)".contains("line 4") }
    }
  }
}
