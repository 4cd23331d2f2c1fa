import MoscEvaluate
import MoscReport
import TestSupport
import Testing

/// The arithmetic of evaluations, without networks.
@Suite struct MeasureTests {
  @Test func intervalsAreOverPrompts() throws {
    let bootstrap = Bootstrap(seed: 1)
    // Many equal pictures of two prompts say no more than one of each.
    let few = (0..<2).map { (unit: "\($0)", value: Double($0)) }
    let many = (0..<200).map { (unit: "\($0 % 2)", value: Double($0 % 2)) }
    #expect(bootstrap.estimate(few) == bootstrap.estimate(many))
    #expect(bootstrap.estimate(few) == Estimate(mean: 0.5, low: 0, high: 1))
    #expect(bootstrap.estimate([(unit: "a", value: 3)]) == Estimate(mean: 3, low: 3, high: 3))
    #expect(bootstrap.estimate([]) == nil)
    let spread = try #require(
      bootstrap.estimate((0..<100).map { (unit: "\($0)", value: Double($0)) }))
    #expect(spread.mean == 49.5)
    // The standard error is 2.9.
    #expect(41..<47 ~= spread.low && 52..<58 ~= spread.high)
    #expect(bootstrap.estimate(few) == Bootstrap(seed: 1).estimate(few))
  }

  @Test func captionsHaveTheClass() throws {
    let caption = Caption(className: "cat", words: "<hina1> <hina2>")
    #expect(try caption.text("a <TOK> in snow") == "a cat in snow")
    #expect(try caption.text("a <hina1> <hina2> in snow") == "a cat in snow")
    #expect(try caption.text("a <other1> <other2>, <lora:x:0.5>") == "a cat, <lora:x:0.5>")
    #expect(try caption.prompt("a <TOK> in snow") == "a <hina1> <hina2> in snow")
    #expect(try caption.prompt("a dog") == "a dog")
    let none = Caption(className: nil, words: nil)
    #expect(try none.text("a dog") == "a dog")
    for text in ["a <TOK>", "a <cat1> <cat2>"] {
      #expect { try none.text(text) } throws: {
        ExitStatus($0) == .usage && String(describing: $0).contains("--class")
      }
    }
    #expect { try none.prompt("a <TOK>") } throws: { String(describing: $0).contains("--words") }
    #expect(Caption.described("a cat") == "A photo depicts a cat")
  }

  private func evaluation(
    _ name: String, text: Double, image: Double, copying: Double, width: Double = 0
  ) -> Evaluation {
    func estimate(_ mean: Double) -> Estimate {
      Estimate(mean: mean, low: mean - width, high: mean + width)
    }
    var result = Evaluation(name: name, count: 1)
    result.add("text_alignment", estimate(text), relative: text / 0.4)
    result.add("image_alignment", estimate(image))
    result.add("copying", estimate(copying))
    return result
  }

  @Test func theEarliestOfTheBestIsChosen() throws {
    let runs = [
      evaluation("a", text: 0.4, image: 0.2, copying: 0),
      evaluation("b", text: 0.4, image: 0.5, copying: 0),
      evaluation("c", text: 0.4, image: 0.51, copying: 0),
    ]
    #expect(Choice(runs, ceiling: 0.8)?.best == 2)
    let wide = [
      evaluation("a", text: 0.4, image: 0.2, copying: 0, width: 0.03),
      evaluation("b", text: 0.4, image: 0.5, copying: 0, width: 0.03),
      evaluation("c", text: 0.4, image: 0.51, copying: 0, width: 0.03),
    ]
    let choice = try #require(Choice(wide, ceiling: 0.8))
    #expect(choice.best == 1)
    #expect(choice.hint == nil)
    #expect(abs(choice.scores[1].mean - 2 * 0.625 / 1.625) < 1e-12)
    let late = [
      evaluation("a", text: 0.4, image: 0.5, copying: 0.1),
      evaluation("b", text: 0.3, image: 0.6, copying: 0.4),
    ]
    let hint = try #require(Choice(late, ceiling: 0.8)?.hint)
    #expect(hint.contains("'a'") && hint.contains("'b'") && hint.contains("overfitting"))
    #expect(Choice(runs, ceiling: nil) == nil)
    #expect(Choice([Evaluation(name: "x", count: 1)], ceiling: 0.8) == nil)
    #expect(Choice.harmonicMean(0, 1) == 0)
  }
}
