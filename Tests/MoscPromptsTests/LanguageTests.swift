import MoscPrompts
import Testing

/// Parts of the language beyond the recorded answers.
@Suite struct LanguageTests {
  @Test func faultsNameTheirPlace() {
    #expect {
      try PromptAttention.parse("a (cat:1.2.3)")
    } throws: { error in
      let fault = error as? PromptSyntaxError
      return fault?.kind == .value && "\(error)".contains(":1.2.3)") && "\(error)".contains("character 7")
    }
    #expect {
      try PromptSchedule("[a:b:1e999]", .init(steps: 10))
    } throws: { ($0 as? PromptSyntaxError)?.kind == .overflow }
    #expect {
      try NetworkTag.take(from: "<lora:te=1>").tags.map(AdapterUse.init)
    } throws: { ($0 as? PromptSyntaxError)?.kind == .index }
  }

  /// Where the original's answer depends on a hash seed, the schedule is always read.
  @Test func schedulesBesideStrayBrackets() throws {
    for (text, first, second) in [
      ("[a:b:5]:0.5", "a:0.5", "b:0.5"), ("(:[a:b:5]:)", "(:a:)", "(:b:)"),
      ("x [[a:b:5] y", "x [a y", "x [b y"),
    ] {
      let schedule = try PromptSchedule(text, .init(steps: 10))
      #expect(schedule.entries == [.init(end: 5, first), .init(end: 10, second)], "\(text)")
    }
    let deep = String(repeating: "[", count: 10_000)
    #expect(try PromptSchedule(deep, .init(steps: 4)).entries == [.init(end: 4, deep)])
  }

  @Test func escapingKeepsText() throws {
    let text = "a (b:1.2) [c|d] \\ e"
    let parts = try PromptAttention.parse(PromptAttention.escape(text))
    #expect(parts == [WeightedText(text, 1)])
  }

  /// Sizes at which looking from each place on would take hours.
  @Test func longPrompts() throws {
    for filling in [" ", "<", "<lora:", ">", "<lora", "(", "]", "{a|", "AND "] {
      let text = String(repeating: filling, count: 200_000 / filling.count)
      #expect(NetworkTag.take(from: text).tags.count <= 1)
      #expect(try !PromptAttention.parse(text).isEmpty)
      #expect(try !PromptSchedule(text + "[a|b]", .init(steps: 2)).entries.isEmpty)
    }
    let many = String(repeating: "  <lora:x>", count: 20_000)
    #expect(NetworkTag.take(from: many).tags.count == 20_000)
  }

  @Test func textIsRepaired() {
    for (given, wanted) in [
      ("schÃ¶n", "schön"), ("猫 schÃ¶n", "猫 schön"), ("&Eacute;COLE &amp; co", "école & co"),
      ("<b>&amp;", "<b>&amp;"), ("ＦＵＬＬ　ｗｉｄｔｈ", "full width"), ("ﬁne “quotes” it’s", "fine \"quotes\" it's"),
      ("e\u{301}", "é"), ("a\r\nb", "a\nb"), ("ΟΔΟΣ", "οδος"), ("Ã la mode", "à la mode"),
      ("São Paulo €5", "são paulo €5"), ("naïve café", "naïve café"), ("\u{1b}[31mred\u{1b}[0m", "red"),
    ] {
      let repaired = TextRepair.repaired(given)
      #expect(repaired.unicodeScalars.elementsEqual(wanted.unicodeScalars), "\(given): \(repaired)")
    }
  }

  @Test func emphasisNames() {
    #expect(Emphasis(spelling: "No norm") == .noNorm && Emphasis(spelling: "no-norm") == .noNorm)
    #expect(Emphasis(spelling: "Original") == .original && Emphasis(spelling: "loud") == nil)
    var states: [Float] = [1, 2, 3, 4]
    Emphasis.ignore.apply([1, 2], to: &states)
    #expect(states == [1, 2, 3, 4])
    Emphasis.noNorm.apply([1, 2], to: &states)
    #expect(states == [1, 2, 6, 8])
    Emphasis.original.apply([1, 0.5], to: &states)
    #expect(abs(states.reduce(0, +) - 17) < 1e-4)
  }
}
