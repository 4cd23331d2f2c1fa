import Foundation
import MoscEngine
import MoscFuse
import MoscModel
import MoscNetworks
import MoscReport
import RunSupport
import Synchronization
import TestSupport
import Testing

/// What is not as users may expect is said, once, and not with `-q`.
@Suite struct WarningTests {
  private let scratch = Scratch()

  private func warnings(_ arguments: String..., environment: [String: String] = [:]) throws -> [String] {
    let small = ["sample", "--steps", "1", "-W", "16", "-H", "16", "-s", "1", "-o", scratch.path("a.png")]
    let outcome = try MoscProgram.run(small + arguments, environment: environment)
    #expect(outcome.status == 0, "\(outcome.errors)")
    return outcome.errors.split(separator: "\n").map(String.init).filter { $0.contains("warning") }
  }

  @Test func wordsThatTheEmbeddedModelNeverLearnt() throws {
    let words = try #require(try DiffusersModel.embedded().learntWords())
    for prompt in [
      "a fox on the left and a bear on the right, on grass", "Photo of a Big apple, on a pink background",
      "an octopus, in the sea", "red heart", "a <thing-1> <thing-2>, 3 1.5 x",
    ] { #expect(words.unknown(in: prompt).isEmpty, "\(prompt)") }
    #expect(words.unknown(in: "a lighthouse, 8k, Masterpiece lighthouse BREAK замок") == [
      "lighthouse", "8k", "masterpiece", "замок",
    ])
    let said = try warnings("-p", "a lighthouse", "-n", "ugly", "-b", "2", "-o", scratch.path("%d.png"))
    #expect(said.count == 1 && said[0].contains("'lighthouse', 'ugly'") && said[0].contains("fox"))
    #expect(try warnings("-p", "a fox").isEmpty)
    #expect(try warnings("-p", "a lighthouse", "-q").isEmpty)
  }

  /// A model that says nothing of its words may know all.
  @Test func otherModelsAreNotJudged() throws {
    #expect(try DiffusersModel(at: URL(fileURLWithPath: GoldenFile.model)).learntWords() == nil)
    try FileManager.default.copyItem(atPath: GoldenFile.model, toPath: scratch.path("model"))
    try scratch.write("model/words.json", "{\"things\": [1]}")
    #expect {
      try DiffusersModel(at: URL(fileURLWithPath: scratch.path("model"))).learntWords()
    } throws: { "\($0)".contains("words.json") && "\($0)".contains("things") }
  }

  @Test func keysOfConfigurations() throws {
    try FileManager.default.copyItem(atPath: GoldenFile.model, toPath: scratch.path("model"))
    let config = scratch.url.appending(path: "model/vae/config.json")
    let text = try String(contentsOf: config, encoding: .utf8)
    #expect(try warnings("-p", "a", "-m", scratch.path("model"), "--no-cache").isEmpty)
    try scratch.write("model/vae/config.json", "{\"frobnication\": 3," + text.dropFirst())
    let said = try warnings("-p", "a", "-m", scratch.path("model"), "--no-cache")
    #expect(said.count == 1 && said[0].contains("vae: frobnication"), "\(said)")
  }

  /// Many damaged entries are one warning.
  @Test func damagedCaches() throws {
    let cache = scratch.path("cache")
    #expect(try warnings("-p", "a fox", "--cache-dir", cache).isEmpty)
    for file in try FileManager.default.subpathsOfDirectory(atPath: cache) where file.hasSuffix("object") {
      try Data("damage".utf8).write(to: URL(fileURLWithPath: "\(cache)/\(file)"))
    }
    let said = try warnings("-p", "a fox", "--cache-dir", cache)
    #expect(said.count == 1 && said[0].contains("compiled again"), "\(said)")
    #expect(try warnings("-p", "a fox", environment: ["MOSC_CACHE": "/dev/null/x"]).count == 1)
  }

  @Test func oneWarningOfAKind() {
    let text = Mutex("")
    let reporter = Reporter(verbosity: .normal, sink: { part in text.withLock { $0 += part } })
    for number in 0..<3 {
      reporter.warn("same")
      reporter.quieter.warn("same")
      reporter.quieter.warn("number \(number)", kind: "numbers")
      reporter.warn("other \(number)")
    }
    #expect(text.withLock { $0 } == "warning: same\nwarning: number 0\nwarning: other 0\nwarning: other 1\nwarning: other 2\n")
  }

  /// Fusing with strengths that drown the other concept.
  @Test func residualsHaveAVerdict() throws {
    func messages(_ strength: String) throws -> String {
      let text = Mutex("")
      var request = FuseRequest()
      request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
      request.inputs = ["edlora_hina.pth", "edlora_kaori.pth:\(strength)"].compactMap {
        FusionInput(spelling: RecordedRun.url("").path + "/" + $0)
      }
      (request.size, request.steps, request.output) = (64, 1, scratch.path("f.safetensors"))
      try FuseJob(request, Reporter(sink: { part in text.withLock { $0 += part } })).run()
      return text.withLock { $0 }
    }
    let fine = try messages("1")
    #expect(fine.contains("layers: kept\n") && !fine.contains("warning"), "\(fine)")
    let drowned = try messages("9")
    #expect(drowned.contains("mostly lost") && drowned.contains("warning: ") && drowned.contains("--sheet"))
  }
}
