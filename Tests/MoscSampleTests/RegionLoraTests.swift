import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// Adapters that act in regions, in one pass of the U-Net, against an independent reference.
@Suite(.serialized) struct RegionLoraTests {
  private let scratch = Scratch()

  private func errors(_ run: RegionLoraRun, _ request: SampleRequest) throws -> [Double] {
    try SampleJob(request, .silent).run()
    return try run.errors(scratch.path("trajectory.safetensors"))
  }

  @Test(arguments: ["disjoint", "concepts", "overlap", "feather"])
  func everyStepAgrees(_ name: String) throws {
    let run = try RegionLoraRun(name)
    let request = try run.request(scratch)
    let errors = try errors(run, request)
    #expect(errors.count == request.steps)
    for (step, error) in errors.enumerated() { #expect(error < 1e-5, "step \(step)") }
    // The coverage of the first step, which the gates are made of.
    let plan = try SamplePlan(request)
    let config = try plan.model.unet().config
    for (height, width) in config.resolutions(height: plan.latentHeight, width: plan.latentWidth) {
      let expected = try run.file.array("coverage.\(height)x\(width)").floats
      let coverage = RegionCoverage(
        plan.regions, active: plan.regions.map { $0.acts(step: 0, of: plan.calls) }, height: height,
        width: width, pictureWidth: plan.width, rounding: plan.rounding)
      #expect(zip(coverage.shares, expected).allSatisfy { abs($0 - $1) <= 1e-6 }, "\(width)x\(height)")
    }
  }

  /// In bf16 the way from noise drifts as it does without adapters; each step is within 3 %.
  @Test func roundedStepsStayNear() throws {
    let run = try RegionLoraRun("overlap")
    var request = try run.request(scratch)
    request.model.precision = .bf16
    let errors = try errors(run, request)
    #expect(errors.count == request.steps && errors.allSatisfy { $0 > 1e-5 && $0 < 0.03 }, "\(errors)")
  }

  /// What is encoded for each context: prompt and negative prompt with the region's adapters.
  @Test func textsOfContexts() throws {
    let run = try RegionLoraRun("concepts")
    let plan = try SamplePlan(try run.request(scratch))
    let compiler = try Compiler(plan.request.compiler, precision: .f32, .silent)
    let regional = try #require(plan.model.regional)
    let layers = [0, 7, 15]
    for (context, name) in ["context_embeds", "region0_embeds", "region1_embeds"].enumerated() {
      let expected = try run.file.array(name)
      var model = plan.model
      model.adapters = regional.textAdapters(ofContext: context)
      let encoder = try PromptEncoder(ModelComponents(model, compiler), skippedLayers: 0, .silent)
      let region = context == 0 ? nil : plan.regions[context - 1]
      let prompts = [region?.negative ?? plan.request.negativePrompt, region?.prompt ?? plan.request.prompt]
      for (half, prompt) in prompts.enumerated() {
        let states = try encoder.encode([prompt], among: plan.texts).context([prompt])
        #expect(states.shape == [1, 16, 77, 64])
        let size = 77 * 64
        for (index, layer) in layers.enumerated() {
          let found = Array(states.floats[layer * size..<(layer + 1) * size])
          let start = (half * layers.count + index) * size
          let error = Comparison.relative(found, Array(expected.floats[start..<start + size]))
          #expect(error < 3e-6, "\(name), half \(half), layer \(layer)")
        }
      }
    }
  }

  /// A region that covers everything is its adapter used for the whole picture.
  /// Products without low-rank factors act by a branch of the change itself.
  @Test(arguments: ["ember", "tide_locon", "fern_concept", "loha", "lokr", "dora_rows"])
  func fullCoverEqualsGlobal(_ name: String) throws {
    let own = RegionLoraRun.url("\(name).safetensors")
    let isOwn = FileManager.default.fileExists(atPath: own.path)
    let file = isOwn ? own.path : Goldens.url("adapters/\(name).safetensors").path
    var request = SampleRequest()
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.compiler.cacheFolder = SharedKernels.folder
    let prompt = name == "fern_concept" ? "a <fern1> <fern2>" : "a red fox"
    (request.prompt, request.negativePrompt) = (prompt, "dark")
    (request.steps, request.seeds, request.width, request.height) = (2, [3], 72, 64)
    request.output = scratch.path("picture.png")
    func latents(_ request: SampleRequest) throws -> [Float] {
      var request = request
      request.trajectory = scratch.path("trajectory.safetensors")
      try SampleJob(request, .silent).run()
      return try TensorFile.read(scratch.path("trajectory.safetensors"), "latents").floats
    }
    let plain = name == "fern_concept" ? nil : try latents(request)
    var global = request
    global.model.adapters.files = [AdapterRequest(path: file, textEncoder: 0.6, unet: 0.8)]
    let expected = try latents(global)
    var local = request
    local.regions.texts = ["box=0,0,1,1; prompt=\(prompt); lora=\(file):0.6:0.8"]
    #expect(Comparison.relative(try latents(local), expected) < 1e-5)
    if let plain { #expect(Comparison.relative(plain, expected) > 0.01) }
  }

  /// Another adapter, strength, box, number of regions and prompt find every kernel in the cache.
  @Test func changesRecompileNothing() throws {
    var request = SampleRequest()
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.compiler.usesCache = true
    request.compiler.cacheFolder = scratch.path("cache")
    (request.prompt, request.steps, request.width, request.height) = ("a lake", 1, 64, 64)
    request.output = scratch.path("picture.png")
    func draw(_ regions: [String]) throws -> Set<String> {
      request.regions.texts = regions
      try SampleJob(request, .silent).run()
      return Set(
        try FileManager.default.subpathsOfDirectory(atPath: scratch.path("cache"))
          .filter { $0.hasPrefix("objects/") })
    }
    func lora(_ name: String) -> String { RegionLoraRun.url("\(name).safetensors").path }
    let first = try draw([
      "box=0,0,0.5,1; prompt=a fox; lora=\(lora("ember")):0.8",
      "box=0.5,0,1,1; prompt=a <fern1>; lora=\(lora("fern_concept"))",
      "box=0,0.5,1,1; prompt=grass",
    ])
    #expect(first.count > 100)
    let second = try draw([
      "box=0,0,0.6,0.9; prompt=a small fox; lora=\(lora("moss")):0.3:0.9; feather=9",
      "box=0.4,0,1,1; prompt=a <crab1>; lora=\(lora("crab_concept")):0.5; weight=0.5",
      "box=0,0.5,1,1; prompt=grass; lora=\(lora("moss")):0.3:0.9", "box=0,0,1,0.2; prompt=sky",
    ])
    #expect(second == first)
  }
}
