import Foundation
import MoscEngine
import MoscFormats
import MoscFuse
import MoscNetworks
import MoscReport
import RunSupport
import TestSupport
import Testing

/// What `mosc fuse` says to bad input, before any heavy work.
@Suite struct FuseInputTests {
  private let scratch = Scratch()
  private let hina = RecordedRun.url("edlora_hina.pth").path

  private func request(_ inputs: [String]) -> FuseRequest {
    var request = FuseRequest()
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.compiler.cacheFolder = SharedKernels.folder
    request.inputs = inputs.compactMap(FusionInput.init)
    request.output = scratch.path("fused.safetensors")
    (request.size, request.steps) = (64, 1)
    return request
  }

  private func message(_ request: FuseRequest) -> String {
    do {
      try FuseJob(request, .silent).run()
    } catch {
      #expect(!FileManager.default.fileExists(atPath: request.output))
      #expect(!FileManager.default.fileExists(atPath: request.output + ".fusing"))
      return String(describing: error)
    }
    return "no error"
  }

  private func configuration(_ text: String) throws -> String {
    let path = scratch.path("config.json")
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    return path
  }

  /// The golden concept as an own file, after a change.
  private func concept(
    _ name: String, _ change: (inout [AdapterFile.Layer], inout [AdapterFile.Word]) -> Void
  ) throws -> String {
    let file = try AdapterFile(URL(fileURLWithPath: hina))
    var (layers, words) = (file.layers, file.words)
    change(&layers, &words)
    let path = scratch.path(name)
    try ConceptFile.write(layers, words, metadata: [:], to: URL(fileURLWithPath: path))
    return path
  }

  @Test func lists() throws {
    #expect(message(request([])).contains("nothing to fuse"))
    #expect(message(request([try configuration("[]")])).contains("empty"))
    #expect(message(request([try configuration("{}")])).contains("expected a list"))
    #expect(message(request([try configuration(#"[{"lora_path": 3}]"#)])).contains("lora_path"))
    #expect(message(request([hina, hina])).contains("same concept"))
    #expect(message(request([scratch.path("none.pth")])).contains("no such file"))
  }

  @Test func concepts() throws {
    let missing = try configuration(
      #"[{"lora_path": "\#(hina)", "concept_name": "<hina1> <hinaX>"}]"#)
    #expect(message(request([missing])).contains("\"<hinaX>\": has no token rows"))
    let otherBase = try concept("other.safetensors") { layers, _ in
      layers[0].down = HostArray(
        [Float](repeating: 1, count: layers[0].rank * 96), shape: [layers[0].rank, 96])
    }
    #expect(message(request([otherBase])).contains("trained on another base"))
    let wide = try concept("wide.safetensors") { _, words in
      words[0].rows = HostArray([Float](repeating: 0, count: 16 * 96), shape: [16, 96])
    }
    #expect(message(request([wide])).contains("trained on another base"))
    let bad = try concept("nan.safetensors") { layers, _ in
      var values = layers[3].up.floats
      values[2] = .nan
      layers[3].up = HostArray(values, shape: layers[3].up.shape)
    }
    #expect(message(request([bad])).contains("holds nan"))
    let stray = try concept("stray.safetensors") { layers, _ in layers[5].key += "_x" }
    #expect(message(request([stray])).contains("found no place"))
  }

  @Test func settings() throws {
    var small = request([hina])
    small.size = 100
    #expect(message(small).contains("--size 100: expected a multiple of 8"))
    var lora = request([hina])
    lora.model.adapters.files = [AdapterRequest(path: hina)]
    #expect(message(lora).contains("--lora"))
    var removal = request([])
    removal.removed = ["a"]
    #expect(message(removal).contains("--stats"))
    var nothing = request([])
    nothing.statistics = scratch.path("statistics")
    #expect(message(nothing).contains("keeps no concepts"))
    var prompts = request([hina])
    prompts.prompts = try scratch.write("prompts.txt", "a <TOK>\n\na cat\n").path
    #expect(message(prompts).contains("line 3: 'a cat' has no <TOK>"))
    #expect(message(prompts).contains("only refining (--refine)"))
    prompts.refineSteps = 1
    for misspelt in ["a <tok>", "a <TOK> and a <hina1>"] {
      prompts.prompts = try scratch.write("misspelt.txt", "a <TOK>\n\(misspelt)\n").path
      #expect(message(prompts).contains("line 2: '\(misspelt)': expected no '<' but in <TOK>"))
    }
    prompts.refineSteps = nil
    prompts.method = .weighted
    #expect(message(prompts).contains("--prompts: --merge weighted"))
    (prompts.method, prompts.matchesMixOfShow) = (.solve, true)
    #expect(message(prompts).contains("--prompts: --compat mix-of-show"))
    var latents = request([hina])
    latents.latentsIn = RecordedRun.url("fusion.safetensors").path
    #expect(message(latents).contains("init_latents.0"))
  }

  /// Words that another concept has get another name, and the user is told.
  @Test func takenWords() throws {
    let twin = try concept("twin.safetensors") { layers, _ in layers.removeLast() }
    var both = request([hina, twin])
    both.method = .concat
    try FuseJob(both, .silent).run()
    let words = try AdapterFile(URL(fileURLWithPath: both.output)).words.map(\.text)
    #expect(words == ["<hina1>", "<hina2>", "<hina1-2>", "<hina2-2>"])
  }

  @Test func residualLimit() throws {
    var strict = request([hina, RecordedRun.url("edlora_kaori.pth").path])
    strict.failAbove = 1e-6
    let error = #expect(throws: CommandError.self) { try FuseJob(strict, .silent).run() }
    #expect(error?.status == .strictness)
  }
}
