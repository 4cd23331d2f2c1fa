import MoscDiffusion
import Testing

/// Prompts that divide the picture: Regional Prompter's keywords and Forge Couple's lines.
@Suite struct RegionGrammarTests {
  private func read(
    _ prompt: String, _ ratios: String? = nil, base: String? = nil,
    _ division: RegionalPrompterText.Division = .columns, negative: String = ""
  ) throws -> RegionalPrompterText.Reading {
    var text = RegionalPrompterText()
    (text.ratios, text.baseRatios, text.division) = (ratios, base, division)
    #expect(text.applies(to: prompt))
    return try text.read(prompt, negative: negative)
  }

  private func boxes(_ reading: RegionalPrompterText.Reading) -> [[Double]] {
    reading.regions.compactMap(\.box).map { box in
      [box.left, box.top, box.right, box.bottom].map { ($0 * 1000).rounded() / 1000 }
    }
  }

  @Test func columnsOfKeywords() throws {
    let reading = try read("snow ADDCOMM a village ADDBASE a cat ADDCOL a dog, red", "1,3")
    #expect(reading.prompt == "snow, a village")
    #expect(reading.regions.map(\.prompt) == ["snow, a cat", "snow, a dog, red"])
    #expect(boxes(reading) == [[0, 0, 0.25, 1], [0.25, 0, 1, 1]])
    #expect(reading.regions.allSatisfy { abs($0.weight - 0.8) < 1e-12 })
  }

  @Test func grids() throws {
    // Two rows of heights 1 and 2, the first of two columns.
    let reading = try read("a ADDCOL b ADDROW c", "1,1,3;2,1")
    #expect(boxes(reading) == [[0, 0, 0.25, 0.333], [0.25, 0, 1, 0.333], [0, 0.333, 1, 1]])
    // The same keywords, columns first.
    let turned = try read("a ADDCOL b ADDROW c", nil, .rows)
    #expect(boxes(turned) == [[0, 0, 0.5, 1], [0.5, 0, 1, 0.5], [0.5, 0.5, 1, 1]])
    #expect(turned.prompt == "a, b, c")
    // Numbers of one direction.
    #expect(boxes(try read("a ADDROW b", "1,4")) == [[0, 0, 1, 0.2], [0, 0.2, 1, 1]])
    #expect(boxes(try read("a ADDCOL b ADDCOL c", "2")).map { $0[0] } == [0, 0.5, 0.75])
  }

  @Test func breaks() throws {
    // The last part fills what is left.
    let reading = try read("a BREAK b", "1,1,1")
    #expect(reading.regions.map(\.prompt) == ["a", "b", "b"])
    #expect(boxes(try read("a BREAK b", "1;1")) == [[0, 0, 1, 0.5], [0, 0.5, 1, 1]])
    // Inside of a cell it is a break of the prompt.
    #expect(try read("a BREAK x ADDCOL b").regions[0].prompt == "a BREAK x")
    #expect(!RegionalPrompterText().applies(to: "a BREAK b, ADDCOLOUR, addcol"))
  }

  @Test func negatives() throws {
    #expect(try read("a ADDCOL b", negative: "bad").regions.map(\.negative) == [nil, nil])
    #expect(try read("a ADDCOL b", negative: "x BREAK y").regions.map(\.negative) == ["x", "y"])
    #expect(throws: PromptError.self) { try read("a ADDCOL b", negative: "x BREAK y BREAK z") }
  }

  @Test(arguments: [
    ("a ADDBASE b ADDCOMM c ADDCOL d", nil, nil), ("a ADDCOL b", "1,x", nil), ("a ADDCOL b", "1,1,1", nil),
    ("a ADDCOL b", "1,-1", nil), ("a ADDCOL b", nil, "0.5"), ("a ADDBASE b ADDCOL c", nil, "1.5"),
    ("a BREAK b BREAK c", "1,1", nil), ("a ADDBASE b ADDBASE c", nil, nil),
  ] as [(String, String?, String?)])
  func refuses(_ prompt: String, _ ratios: String?, _ base: String?) throws {
    #expect(throws: PromptError.self) { try read(prompt, ratios, base: base) }
  }

  @Test func lines() throws {
    var lines = CoupledLines(.horizontal)
    var reading = try lines.read("a cat\na dog\n")
    #expect(reading.regions.map(\.prompt) == ["a cat", "a dog"])
    #expect(boxes(reading) == [[0, 0, 0.5, 1], [0.5, 0, 1, 1]])
    #expect(reading.regions.map(\.weight) == [1, 1])
    (lines.direction, lines.background) = (.vertical, .last)
    reading = try lines.read(#"a cat\na dog\na garden"#)
    #expect(reading.prompt == "a garden")
    #expect(boxes(reading) == [[0, 0, 1, 0.5], [0, 0.5, 1, 1]])
    // One part beside half a background.
    #expect(reading.regions.allSatisfy { abs($0.weight - 2.0 / 3) < 1e-12 })
    #expect(throws: PromptError.self) { try lines.read("a cat\na dog") }
  }
}
