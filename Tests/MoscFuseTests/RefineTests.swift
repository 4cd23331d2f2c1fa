import Foundation
import MoscEngine
import MoscFormats
import MoscFuse
import MoscNetworks
import MoscReport
import RunSupport
import TestSupport
import Testing

/// `mosc fuse --refine` on the golden concepts.
@Suite(.serialized) struct RefineTests {
  private let scratch = Scratch()
  private static let hina = RecordedRun.url("edlora_hina.pth").path
  private static let kaori = RecordedRun.url("edlora_kaori.pth").path

  private func request(_ inputs: [String], _ output: String, steps: Int, rate: Double) -> FuseRequest {
    var request = FuseRequest()
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.compiler.cacheFolder = SharedKernels.folder
    request.inputs = inputs.compactMap(FusionInput.init)
    request.output = scratch.path("\(output).safetensors")
    request.report = scratch.path("\(output).json")
    request.size = 64
    request.steps = 3
    (request.refineSteps, request.refineRate) = (steps, rate)
    return request
  }

  /// Fuses, and says what the loss was at first and at last.
  private func losses(_ request: FuseRequest) throws -> (first: Double, last: Double) {
    try FuseJob(request, .silent).run()
    let path = try #require(request.report)
    let report = try JSONValue.parse(try Data(contentsOf: URL(fileURLWithPath: path)), path: path)
    #expect(!FileManager.default.fileExists(atPath: request.output + ".fusing"))
    return (
      try #require(report["refinement"]?["loss_first"]?.double),
      try #require(report["refinement"]?["loss_last"]?.double)
    )
  }

  /// A rate that leaves everything as it is shows what is compared: the exact solution of a concept alone predicts
  /// what its file does, that of two does not.
  @Test func comparesWithTheOwnFile() throws {
    var alone = request([Self.hina], "alone", steps: 12, rate: 1e-12)
    alone.solver = .minNorm
    let one = try losses(alone)
    let two = try losses(request([Self.hina, Self.kaori], "both", steps: 12, rate: 1e-12))
    #expect(one.first < 0.1 * two.first, "\(one), \(two)")
    #expect(abs(two.last / two.first - 1) < 1)
  }

  /// Steps bring the fused model nearer, and repeat to the bit.
  @Test func learns() throws {
    let first = request([Self.hina, Self.kaori], "first", steps: 30, rate: 1e-3)
    let found = try losses(first)
    #expect(found.last < 0.5 * found.first, "\(found)")
    let second = request([Self.hina, Self.kaori], "second", steps: 30, rate: 1e-3)
    #expect(try losses(second) == found)
    let files = try [first, second].map { try AdapterFile(URL(fileURLWithPath: $0.output)) }
    #expect(files[0].layers.map(\.up) == files[1].layers.map(\.up) && !files[0].layers.isEmpty)
    #expect(files[0].words.map(\.text) == ["<hina1>", "<hina2>", "<kaori1>", "<kaori2>"])
    var unrefined = request([Self.hina, Self.kaori], "unrefined", steps: 0, rate: 1)
    unrefined.refineRate = nil
    try FuseJob(unrefined, .silent).run()
    let plain = try AdapterFile(URL(fileURLWithPath: unrefined.output))
    #expect(plain.layers.map(\.key) == files[0].layers.map(\.key))
    #expect(plain.layers.map(\.up) != files[0].layers.map(\.up))
    // Words are the concepts' own.
    #expect(plain.words.map(\.rows) == files[0].words.map(\.rows))
  }

  /// For a prompt of no concept the base is what is learnt from, in as many steps as for a concept.
  @Test func keepsPromptsOfNoConcept() throws {
    var request = request([Self.hina], "prior", steps: 20, rate: 1e-12)
    request.solver = .minNorm
    request.prompts = try scratch.write("prompts.txt", "a <TOK>, in the snow\n\na cat, on grass\n").path
    // The file alone is what the fused model equals already; the base it does not.
    let concept = try {
      var concept = request
      concept.prompts = try scratch.write("own.txt", "a <TOK>, in the snow\n").path
      return try losses(concept)
    }()
    let found = try losses(request)
    #expect(found.first > 5 * concept.first, "\(found), \(concept)")
    let path = try #require(request.report)
    let settings = try JSONValue.parse(try Data(contentsOf: URL(fileURLWithPath: path)), path: path)["settings"]
    #expect(settings?["refinement_steps"]?.int == 40)
    #expect(settings?["prompts"]?.array?.compactMap(\.string) == ["a <TOK>, in the snow"])
    #expect(settings?["prior_prompts"]?.array?.compactMap(\.string) == ["a cat, on grass"])
    request.refineRate = 1e-3
    let learnt = try losses(request)
    #expect(learnt.last < 0.7 * learnt.first, "\(learnt)")
  }

  @Test func refusesWhatItCannot() throws {
    func message(_ change: (inout FuseRequest) -> Void) -> String {
      var request = request([Self.hina], "refused", steps: 3, rate: 1e-3)
      change(&request)
      do { try FuseJob(request, .silent).run() } catch { return "\(error)" }
      return "nothing"
    }
    #expect(message { $0.method = .weighted }.contains("--refine: --merge weighted runs no network"))
    #expect(message { $0.matchesMixOfShow = true }.contains("--refine: --compat mix-of-show"))
    #expect(message { $0.refineRate = 0 }.contains("--refine-lr 0.0: expected a number above 0"))
    #expect(message { $0.refineSteps = 0 }.contains("--refine-lr 0.001: nothing is refined here"))
    #expect(message { $0.refineSteps = -1 }.contains("refine"))
    #expect(!FileManager.default.fileExists(atPath: scratch.path("refused.safetensors")))
  }
}
