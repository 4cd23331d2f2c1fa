import Foundation
import MoscDriver
import MoscFormats
import MoscInspect
import MoscNetworks
import MoscPrompts
import MoscReport
import TestSupport
import Testing

/// `mosc run prompts` and `mosc inspect --prompt`.
@Suite struct PromptJobTests {
  private let scratch = Scratch()

  private func request(_ kind: PromptRecords.Kind?, _ text: String) throws -> RunRequest {
    var request = RunRequest(
      .procedure(.prompts), input: try scratch.write("in.json", text).path,
      output: scratch.path("out.json"))
    request.promptKind = kind
    return request
  }

  @Test func recordsAreAnswered() throws {
    let text = #"{"about": 1, "items": [{"id": "a", "prompt": "(cat)", "result": []}, {"id": "b", "prompt": "(a:.)"}]}"#
    try PromptRecordsJob(request(.attention, text)).run()
    let url = scratch.url.appending(path: "out.json")
    let written = try JSONValue.parse(try readFile(url), path: url.path)
    let items = try #require(written["items"]?.array)
    #expect(items[0]["result"] == .array([.array([.string("cat"), .double(1.1)])]))
    #expect(items[0]["id"]?.string == "a" && items[1]["error"]?.string == "ValueError")
  }

  @Test func faultsAreNamed() throws {
    #expect {
      try PromptRecordsJob(request(nil, "{}")).run()
    } throws: { ($0 as? CommandError)?.status == .usage && "\($0)".contains("--kind") }
    for (text, part) in [
      ("{}", "items"), ("[1]", "items"), ("{\"items\": [{\"id\": \"x\"}]}", "x"), ("{", "line 1"),
      ("{\"items\": [3]}", "items[0]"),
    ] {
      #expect {
        try PromptRecordsJob(request(.attention, text)).run()
      } throws: { "\($0)".contains(part) && "\($0)".contains("in.json") }
    }
  }

  @Test func promptsAreShown() throws {
    let shown = try PromptInspection(
      "a (cat:1.3) [red:blue:0.5] <lora:x:0.8> AND a dog:0.5", ModelOptions(), PromptSettings(), steps: 10
    ).text
    for part in [
      "cat×1.3", "adapter x", "part 2 of 2, weight 0.5", "steps 1 to 6", "steps 7 to 10", "of 75 tokens",
    ] {
      #expect(shown.contains(part), "\(part): \(shown)")
    }
    let long = (0..<80).map { _ in "cat" }.joined(separator: " ")
    #expect(
      try PromptInspection(long, ModelOptions(), PromptSettings(), steps: 1).text
        .contains("chunk 2 of 2, 5 of 75"))
    var plain = PromptSettings()
    plain.syntax = .plain
    #expect(
      try PromptInspection(long, ModelOptions(), plain, steps: 1).text.contains("5 are cut off"))
    #expect {
      try PromptInspection("(a:1.2.3)", ModelOptions(), PromptSettings(), steps: 1)
    } throws: { ($0 as? CommandError)?.status == .usage }
  }
}
