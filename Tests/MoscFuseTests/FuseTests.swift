import Foundation
import MoscEngine
import MoscFormats
import MoscFuse
import MoscModel
import MoscNetworks
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// `mosc fuse` on the golden concepts.
@Suite(.serialized) struct FuseTests {
  private let scratch = Scratch()
  private let hina = RecordedRun.url("edlora_hina.pth").path
  private let kaori = RecordedRun.url("edlora_kaori.pth").path

  /// A small and fast request.
  private func request(_ inputs: [String], _ output: String = "fused.safetensors") -> FuseRequest {
    var request = FuseRequest()
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.compiler.cacheFolder = SharedKernels.folder
    request.inputs = inputs.compactMap(FusionInput.init)
    request.output = scratch.path(output)
    request.size = 64
    request.steps = 3
    request.textIterations = 20
    request.unetIterations = 10
    return request
  }

  private func file(_ path: String) throws -> SafetensorsFile {
    try SafetensorsFile(URL(fileURLWithPath: path))
  }

  /// The changes `up · down` of a file's layers.
  private func changes(_ path: String) throws -> [String: Matrix] {
    let adapter = try AdapterFile(URL(fileURLWithPath: path))
    return Dictionary(
      uniqueKeysWithValues: adapter.layers.map { layer in
        let rank = layer.rank
        let up = Matrix(layer.up.count / rank, rank, layer.up.floats.map(Double.init))
        let down = Matrix(rank, layer.down.count / rank, layer.down.floats.map(Double.init))
        return ("\(layer.network) \(layer.key)", .product(up, down) * Double(layer.scale))
      })
  }

  private func largestDifference(_ a: String, _ b: String) throws -> Double {
    let (a, b) = (try changes(a), try changes(b))
    #expect(Set(a.keys) == Set(b.keys) && !a.isEmpty)
    return a.reduce(0) { worst, entry in
      guard let other = b[entry.key] else { return .infinity }
      return max(worst, (entry.value - other).norm / max(other.norm, 1e-30))
    }
  }

  /// The reference's run from its own initial latents: the objective of every layer.
  @Test func recordedFusion() throws {
    var request = request([RecordedRun.url("multi.json").path])
    request.matchesMixOfShow = true
    request.size = 128
    request.steps = 20
    (request.textIterations, request.unetIterations) = (100, 20)
    request.latentsIn = RecordedRun.url("fusion.safetensors").path
    request.report = scratch.path("report.json")
    request.fullModel = scratch.path("full")
    try FuseJob(request, .silent).run()

    let goldenText = try Data(contentsOf: RecordedRun.url("fusion_objective.json"))
    let golden = try #require(try JSONValue.parse(Array(goldenText), path: "golden").array)
    let report = try JSONValue.parse(
      Array(try Data(contentsOf: URL(fileURLWithPath: scratch.path("report.json")))), path: "report")
    var found: [String: JSONValue] = [:]
    for layer in try #require(report["layers"]?.array) {
      let name = try #require(layer["layer"]?.string)
      found[String(name.drop { $0 != "." }.dropFirst()) + ".weight"] = layer
    }
    #expect(golden.count == 136 && found.count == 136)
    var ratios: [String: [Double]] = [:]
    for entry in golden {
      let name = try #require(entry["layer"]?.string)
      let layer = try #require(found[name], "\(name)")
      let stage = try #require(layer["stage"]?.string)
      #expect(layer["rows"]?.int == entry["rows"]?.int, "\(name)")
      let before = try #require(layer["mse_before"]?.double)
      let start = try #require(entry["mse_before"]?.double)
      // Later stages see what single-precision solutions of earlier ones made of their inputs.
      #expect(abs(before / start - 1) < (stage == "text" ? 1e-5 : 0.1), "\(name)")
      let after = try #require(layer["mse_after"]?.double)
      let end = try #require(entry["mse_after"]?.double)
      // The scatter of the reference's own single- and double-precision runs.
      let slack = stage == "text" ? 1.01 : stage == "spatial" ? 2.05 : 10
      #expect(after <= max(slack * end, 1e-8 * start), "\(name): \(after), recorded \(end)")
      ratios[stage, default: []].append(after / end)
    }
    for (stage, values) in ratios {
      #expect(values.sorted()[values.count / 2] <= 1.02, "\(stage)")
    }

    // The same weights in both forms draw the same picture.
    let written = try JSONObject(
      contentsOf: URL(fileURLWithPath: scratch.path("full/new_concept_cfg.json")))
    let reference = try JSONObject(contentsOf: RecordedRun.url("fused/new_concept_cfg.json"))
    #expect(written.members == reference.members)
    let tokens = try JSONObject(
      contentsOf: URL(fileURLWithPath: scratch.path("full/tokenizer/added_tokens.json")))
    let added = try JSONObject(contentsOf: RecordedRun.url("fused/added_tokens.json"))
    #expect(Set(tokens.members) == Set(added.members))
    var latents: [[Float]] = []
    for form in ["full", "file"] {
      var sample = SampleRequest()
      sample.model = ModelOptions(
        path: form == "full" ? scratch.path("full") : GoldenFile.model, precision: .f32)
      if form == "file" { sample.model.adapters.files = [AdapterRequest(path: request.output)] }
      sample.compiler.cacheFolder = SharedKernels.folder
      sample.prompt = "<kaori1> <kaori2> and <hina1> <hina2> near the lake"
      sample.steps = 3
      (sample.width, sample.height) = (64, 64)
      sample.trajectory = scratch.path("\(form).safetensors")
      sample.output = scratch.path("\(form).png")
      try SampleJob(sample, .silent).run()
      latents.append(try TensorFile.read(scratch.path("\(form).safetensors"), "latents").floats)
    }
    #expect(Comparison.relative(latents[0], latents[1]) < 1e-4)
  }

  /// Statistics of a concept know nothing of the others: leaving leaves no trace.
  @Test func leavingAndJoining() throws {
    let folder = scratch.path("statistics")
    var both = request([hina, kaori], "both.safetensors")
    both.statistics = folder
    try FuseJob(both, .silent).run()
    var left = request([], "left.safetensors")
    left.statistics = folder
    left.removed = ["<kaori1>"]
    try FuseJob(left, .silent).run()
    let alone = request([hina], "alone.safetensors")
    try FuseJob(alone, .silent).run()
    #expect(try largestDifference(left.output, alone.output) < 1e-5)
    #expect(try AdapterFile(URL(fileURLWithPath: left.output)).words.map(\.text)
      == ["<hina1>", "<hina2>"])
    var joined = request([], "joined.safetensors")
    joined.statistics = folder
    joined.added = [.concept(AdapterRequest(path: kaori))]
    try FuseJob(joined, .silent).run()
    #expect(try largestDifference(joined.output, both.output) < 1e-5)
    var weaker = request([], "weaker.safetensors")
    weaker.statistics = folder
    weaker.reweighed = [try #require(Reweighing(spelling: "edlora_kaori=0.5"))]
    try FuseJob(weaker, .silent).run()
    #expect(try largestDifference(weaker.output, both.output) > 1e-2)
    // Nothing temporary is left.
    #expect(!FileManager.default.fileExists(atPath: alone.output + ".fusing"))
  }

  /// Statistics of more prompts are others, and kept ones of fewer are not taken for them.
  @Test func morePromptsAreOtherStatistics() throws {
    func fused(_ name: String, _ prompts: String?) throws -> String {
      var request = request([hina, kaori], "\(name).safetensors")
      request.prompts = try prompts.map { try scratch.write("\(name).txt", $0).path }
      request.statistics = scratch.path("statistics")
      try FuseJob(request, .silent).run()
      return request.output
    }
    let usual = try fused("usual", nil)
    #expect(try largestDifference(usual, fused("none", "\n")) == 0)
    #expect(try largestDifference(usual, fused("more", "a <TOK>, at night\n")) > 1e-3)
  }

  @Test func threadsDoNotMatter() throws {
    var contents: [[UInt8]] = []
    for threads in [1, 3] {
      let folder = "threads\(threads)"
      try FileManager.default.createDirectory(
        atPath: scratch.path(folder), withIntermediateDirectories: true)
      var request = request([hina, kaori], "\(folder)/fused.safetensors")
      request.compiler.threads = threads
      try FuseJob(request, .silent).run()
      contents.append(Array(try Data(contentsOf: URL(fileURLWithPath: request.output))))
    }
    #expect(contents[0] == contents[1])
  }

  /// An interrupted fusion finds its statistics; other settings do not.
  @Test func continues() throws {
    var first = request([hina], "first.safetensors")
    first.statistics = scratch.path("kept")
    try FuseJob(first, .silent).run()
    let moments = scratch.path("kept/edlora_hina.spatial.moments")
    let stamp = try FileManager.default.attributesOfItem(atPath: moments)[.systemFileNumber] as? Int
    try FuseJob(first, .silent).run()
    let again = try FileManager.default.attributesOfItem(atPath: moments)[.systemFileNumber] as? Int
    #expect(stamp == again && stamp != nil)
    first.seed = 5
    try FuseJob(first, .silent).run()
    let other = try FileManager.default.attributesOfItem(atPath: moments)[.systemFileNumber] as? Int
    #expect(other != stamp)
  }

  @Test func plainMerges() throws {
    let weighted = {
      var request = self.request([self.hina, self.kaori], "weighted.safetensors")
      request.method = .weighted
      request.report = scratch.path("weighted.json")
      return request
    }()
    try FuseJob(weighted, .silent).run()
    func layers(_ path: String) throws -> [JSONValue] {
      try JSONValue.parse(try Data(contentsOf: URL(fileURLWithPath: path)), path: path)["layers"]?.array ?? []
    }
    let told = try layers(scratch.path("weighted.json"))
    #expect(told.count == 136)
    for layer in told {
      #expect(layer["method"]?.string == "weighted" && layer["rank"]?.int == 8 && layer["left_out"]?.double == 0)
      let parts = layer["concepts"]?.array ?? []
      #expect(parts.map { $0["weight"]?.double } == [0.5, 0.5] && parts.map { $0["rank"]?.int } == [4, 4])
      let (change, norms) = (layer["change"]?.double ?? -1, parts.compactMap { $0["change"]?.double })
      #expect(change > 0 && change <= norms.reduce(0, +) * 1.000_001 && norms.allSatisfy { $0 > 0 })
    }
    var whole = request([hina, kaori], "concat.safetensors")
    whole.method = .concat
    try FuseJob(whole, .silent).run()
    let (half, sum) = (try changes(weighted.output), try changes(whole.output))
    #expect(half.count == 136)
    for (key, value) in half {
      let other = try #require(sum[key])
      #expect((value * 2 - other).norm < 1e-6 * other.norm)
    }
    var svd = request([hina, kaori], "svd.safetensors")
    svd.method = .svd
    svd.rank = 8
    try FuseJob(svd, .silent).run()
    #expect(try largestDifference(svd.output, whole.output) < 1e-5)
    svd.rank = 3
    svd.report = scratch.path("svd.json")
    try FuseJob(svd, .silent).run()
    let cut = try layers(scratch.path("svd.json"))
    #expect(cut.count == 136 && cut.allSatisfy { $0["rank"]?.int == 3 && 0.01...1 ~= $0["left_out"]?.double ?? 0 })
    #expect(try AdapterFile(URL(fileURLWithPath: svd.output)).layers.allSatisfy { $0.rank == 3 })
    #expect(try largestDifference(svd.output, whole.output) > 1e-3)
  }

  /// Changes without narrow factors are fused as what they are.
  @Test(arguments: [("lokr_full", 3), ("dora_rows", 4), ("loha", 4)])
  func otherFamilies(_ name: String, _ count: Int) throws {
    let path = Goldens.url("adapters/\(name).safetensors").path
    var request = request([path, "\(hina):1:0"], "\(name)-sum.safetensors")
    request.method = .concat
    try FuseJob(request, .silent).run()
    let fused = try changes(request.output)
    var options = ModelOptions(path: GoldenFile.model)
    options.adapters.files = [AdapterRequest(path: path)]
    let model = try ModelComponents.open(options)
    let file = try AdapterFile(URL(fileURLWithPath: path))
    #expect(file.layerCount == count)
    for layer in file.layers + (try model.factors(of: file.wholeLayers, path: path).layers) {
      let rank = layer.rank
      let up = Matrix(layer.up.count / rank, rank, layer.up.floats.map(Double.init))
      let down = Matrix(rank, layer.down.count / rank, layer.down.floats.map(Double.init))
      let own = Matrix.product(up, down) * Double(layer.scale)
      let found = try #require(fused["unet \(layer.key)"])
      #expect((found - own).norm < 1e-5 * own.norm, "\(layer.key)")
    }
  }

  @Test func refusesChangesThatAreNoLayers() throws {
    var request = request([Goldens.url("adapters/norms.safetensors").path, hina])
    request.method = .concat
    #expect {
      try FuseJob(request, .silent).run()
    } throws: { "\($0)".contains("norms.safetensors") && "\($0)".contains("cannot be fused") }
  }
}
