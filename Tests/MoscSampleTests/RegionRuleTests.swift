import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// Guidance, seeds and shares by region, and the leak meter.
@Suite(.serialized) struct RegionRuleTests {
  private let scratch = Scratch()

  private func request(_ regions: [String]) -> SampleRequest {
    var request = SampleRequest()
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.compiler.cacheFolder = SharedKernels.folder
    (request.prompt, request.negativePrompt, request.steps) = ("a red fox", "dark", 2)
    (request.seeds, request.width, request.height) = ([3], 64, 64)
    request.regions.texts = regions
    request.output = scratch.path("picture.png")
    return request
  }

  private func latents(_ request: SampleRequest) throws -> [Float] {
    var request = request
    request.trajectory = scratch.path("trajectory.safetensors")
    try SampleJob(request, .silent).run()
    return try TensorFile.read(scratch.path("trajectory.safetensors"), "latents").floats
  }

  private func near(_ a: [Float], _ b: [Float]) -> Bool { Comparison.relative(a, b) < 1e-5 }

  /// A region that covers everything with another guidance or seed is a picture with that guidance or seed, and
  /// so is one of the background; with base 1 nothing is left of its prompt.
  @Test func fullCoverIsThePicture() throws {
    let whole = "box=0,0,1,1; prompt=a red fox"
    let plain = try latents(request([whole]))
    var strong = request([whole])
    strong.guidance = 11
    #expect(near(try latents(request(["\(whole); guidance=11"])), try latents(strong)))
    #expect(!near(plain, try latents(strong)))
    var other = request([whole])
    other.seeds = [8]
    let reseeded = try latents(request(["\(whole); seed=8"]))
    #expect(near(reseeded, try latents(other)) && !near(plain, reseeded))
    #expect(near(try latents(request(["background=1; prompt=a red fox"])), plain))
    #expect(near(try latents(request(["box=0,0,1,1; prompt=a house; base=1"])), plain))
    #expect(!near(try latents(request(["box=0,0,1,1; prompt=a house; base=0.5"])), plain))
    var unguided = request(["\(whole); guidance=11"])
    unguided.guidance = 1
    #expect { try SampleJob(unguided, .silent).run() } throws: { "\($0)".contains("--cfg-scale above 1") }
  }

  /// A text that only the second pass has is encoded with the adapters of its region, too.
  @Test func secondPassesHaveTextsOfTheirOwn() throws {
    let adapter = RegionLoraRun.url("ember.safetensors").path
    var request = request(["box=0,0,0.5,1; prompt=a [fox:dog:1.25]; lora=\(adapter)"])
    request.prompt = "a [red:blue:1.25] fox"
    (request.hires.isOn, request.hires.scale, request.hires.strength) = (true, 1.5, 1)
    func picture() throws -> [UInt8] {
      try SampleJob(request, .silent).run()
      return try PNG.read(URL(fileURLWithPath: request.output)).image.pixels
    }
    let changed = try picture()
    request.regions.texts = ["box=0,0,0.5,1; prompt=a fox; lora=\(adapter)"]
    #expect(try picture() != changed)
  }

  /// The overlap rule and all fields come back from a picture.
  @Test func redraws() throws {
    var request = request([
      "box=0,0,0.7,1; prompt=a fox; base=0.25; seed=5", "box=0.3,0,1,1; prompt=an owl; guidance=4",
      "background=1; prompt=grass",
    ])
    request.regions.overlap = .priority
    try SampleJob(request, .silent).run()
    var again = RedrawRequest(scratch.path("picture.png"))
    again.model.path = GoldenFile.model
    again.compiler = request.compiler
    again.output = scratch.path("again.png")
    try RedrawJob(again, .silent).run()
    let first = try Data(contentsOf: scratch.url.appending(path: "picture.png"))
    let second = try Data(contentsOf: scratch.url.appending(path: "again.png"))
    #expect(first == second)
  }

  @Test func smallRegionsAreSaid() throws {
    let plan = try SamplePlan(request(["box=0,0,0.125,0.125; prompt=a fox", "box=0.1,0,1,1; prompt=an owl"]))
    let warnings = try RegionSchedule(plan).warnings
    #expect(warnings.count == 1 && warnings[0].contains("region 1"))
    var wide = request(["box=0.06,0.06,0.19,0.19; prompt=a fox"])
    (wide.width, wide.height) = (256, 256)
    #expect(try RegionSchedule(SamplePlan(wide)).warnings.first?.contains("only 1.") == true)
  }

  /// Cells and shares are those of the coverage; attention outside is a fraction; adapters of a region add
  /// nothing outside of it.
  @Test func meter() throws {
    let lora = RegionLoraRun.url("fern_concept.safetensors").path
    var request = request([
      "box=0,0,0.5,1; prompt=a <fern1> <fern2>; lora=\(lora):0.7", "box=0.5,0,1,1; prompt=an owl",
    ])
    request.steps = 3
    let without = try latents(request)
    request.regions.report.file = scratch.path("report.json")
    request.regions.report.map = scratch.path("map.png")
    #expect(near(try latents(request), without), "measuring changes the picture")
    let report = try JSONValue.parse(
      try Data(contentsOf: scratch.url.appending(path: "report.json")), path: "report")
    let first = try #require(report["resolutions"]?.array?.first)
    #expect(first["cells"]?.int == 64 && first["regions"]?.array?.map { $0["cells"]?.int ?? 0 } == [32, 32])
    let words = try #require(report["words"]?.array)
    #expect(words.compactMap { $0["word"]?.string } == ["<fern1>", "<fern2>", "a", "an", "owl"])
    #expect(words.allSatisfy { 0.01...0.99 ~= $0["outside"]?.double ?? -1 })
    let adapter = try #require(report["adapters"]?.array?.first)
    #expect(adapter["outside"]?.double == 0 && adapter["inside"]?.double ?? 0 > 0)
    let map = try PNG.read(URL(fileURLWithPath: scratch.path("map.png"))).image
    #expect(map.width == 64 && map.height == 64)
    #expect(map.pixels[..<3] == map.pixels[(31 * 3)..<(32 * 3)] && map.pixels[..<3] != map.pixels[(32 * 3)..<(33 * 3)])
    // The same words everywhere: no region has any of its own, and without regions there is nothing to measure.
    var none = request
    none.regions.texts = []
    #expect { try SampleJob(none, .silent).run() } throws: { "\($0)".contains("there are none") }
  }
}
