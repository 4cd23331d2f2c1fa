import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscPrompts
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// Runs in few and cheap steps, against diffusers and against what is written out over its U-Net.
@Suite(.serialized) struct FewStepTests {
  private let scratch = Scratch()

  private func golden(_ name: String) throws -> SafetensorsFile {
    try SafetensorsFile(Goldens.url("few-steps/\(name).safetensors"))
  }

  /// The request of a golden run, from the settings in its metadata.
  private func request(_ name: String, _ change: (inout SampleRequest) -> Void) throws -> SampleRequest {
    let settings = try golden(name).metadata
    var request = SampleRequest()
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.compiler.cacheFolder = SharedKernels.folder
    request.prompt = try #require(settings["prompt"])
    request.promptSettings.syntax = .plain
    request.negativePrompt = try #require(settings["negative_prompt"])
    request.steps = try #require(settings["steps"].flatMap { Int($0) })
    request.guidance = settings["guidance_scale"].flatMap { Double($0) }
    request.seeds = [try #require(settings["seed"].flatMap { UInt64($0) })]
    (request.width, request.height) = (64, 64)
    request.output = scratch.path("picture.png")
    request.trajectory = scratch.path("\(name).safetensors")
    change(&request)
    return request
  }

  /// Draws, and compares the latents after each step.
  private func check(
    _ name: String, _ tolerance: Double = 1e-4, _ change: (inout SampleRequest) -> Void
  ) throws {
    let request = try request(name, change)
    try SampleJob(request, .silent).run()
    let latents = try TensorFile.read(try #require(request.trajectory), "latents")
    let expected = try golden(name).array("latents")
    #expect(latents.shape == expected.shape)
    let size = expected.floats.count / request.steps
    for step in 0..<request.steps {
      let range = step * size..<(step + 1) * size
      let error = Comparison.relative(Array(latents.floats[range]), Array(expected.floats[range]))
      #expect(error < tolerance, "\(name), step \(step + 1)")
    }
  }

  private let lora = AdapterRequest(path: Goldens.url("diffusers/lora_kohya.safetensors").path)

  @Test func lcmWithAnAdapter() throws {
    try check("lcm_lora") {
      $0.model.adapters.files = [lora]
      $0.sampler = .init(.lcm)
    }
  }

  @Test func tcdWithAnAdapter() throws {
    try check("tcd_lora") {
      $0.model.adapters.files = [lora]
      $0.sampler = .init(.tcd)
      $0.eta = 0.3
    }
  }

  @Test func ddimTrailingWithAnAdapter() throws {
    try check("ddim_lora") {
      $0.model.adapters.files = [lora]
      $0.sampler = .init(.ddim)
      $0.timestepSpacing = .trailing
    }
  }

  @Test func oneStep() throws {
    try check("euler_turbo") {
      $0.sampler = .init(.euler)
      $0.timestepSpacing = .trailing
    }
  }

  @Test func guidanceRange() throws {
    try check("guidance_range") {
      $0.sampler = .init(.euler)
      $0.fewSteps.guidanceRange = GuidanceRange(.shares(0.25, 0.75))
    }
    try check("guidance_range") {
      $0.sampler = .init(.euler)
      $0.fewSteps.guidanceRange = GuidanceRange(.steps(3, 6))
    }
  }

  @Test(arguments: [("reuse_2_3", 2, 3, 0), ("reuse_5_2", 5, 2, 3), ("reuse_1_4", 1, 4, 0)])
  func reuse(_ name: String, depth: Int, interval: Int, first: Int) throws {
    try check(name) {
      $0.sampler = .init(.euler)
      $0.fewSteps.reuse.interval = interval
      $0.fewSteps.reuse.depth = depth
      $0.fewSteps.reuse.first = first
    }
  }

  /// The base model with the projection of guidance that the golden has.
  private func distilledModel() throws -> String {
    let folder = scratch.url.appending(path: "distilled")
    try FileManager.default.copyItem(at: URL(fileURLWithPath: GoldenFile.model), to: folder)
    let unet = folder.appending(path: "unet")
    let config = unet.appending(path: "config.json")
    let text = try String(contentsOf: config, encoding: .utf8)
    let changed = text.replacing("\"time_cond_proj_dim\": null", with: "\"time_cond_proj_dim\": 10")
    #expect(changed != text)
    try Data(changed.utf8).write(to: config)
    let file = unet.appending(path: "diffusion_pytorch_model.safetensors")
    let plain = try SafetensorsFile(file)
    let tensors = try plain.entries.map { ($0.name, try plain.array($0.name)) }
      + [("time_embedding.cond_proj.weight", try golden("lcm_model").array("cond_proj"))]
    try SafetensorsFile.write(tensors, metadata: [:], to: file)
    return folder.path
  }

  @Test func aModelThatTakesItsGuidance() throws {
    let model = try distilledModel()
    try check("lcm_model") {
      $0.model.path = model
      $0.sampler = .init(.lcm)
    }
    // Left to the program, all of these are the same settings.
    var request = try request("lcm_model") { $0.model.path = model }
    (request.guidance, request.steps) = (nil, 20)
    request.fewSteps.unsaid = [.steps, .sampler]
    let plan = try SamplePlan(request)
    #expect(plan.request.steps == 4 && plan.sampler == .lcm && plan.guidance == 8.5)
    #expect(!plan.usesGuidance && plan.scripts.allSatisfy { $0.count == 1 })
    #expect(plan.fewStepRemark?.contains("a latent consistency model") == true)
    request.fewSteps.unsaid = []
    let said = try SamplePlan(request)
    #expect(said.request.steps == 20 && said.sampler == .dpmpp2M)
  }

  /// Guidance of 1 runs one half of the batch, and so do the steps outside of the range.
  @Test func halfTheBatch() throws {
    let plain = try SamplePlan(request("lcm_lora") { $0.guidance = 1 })
    #expect(plain.scripts[0].count == 1)
    let ranged = try SamplePlan(
      request("guidance_range") { $0.fewSteps.guidanceRange = GuidanceRange(.steps(2, 3)) })
    #expect((0..<ranged.calls).map(ranged.isGuided) == [false, true, true] + [Bool](repeating: false, count: 5 + ranged.calls - 8))
    #expect(ranged.scripts[0].count == 2 && ranged.scripts[0].unguided.count == 1)
    #expect(throws: CommandError.self) {
      try SamplePlan(
        request("guidance_range") {
          $0.guidance = 1
          $0.fewSteps.guidanceRange = GuidanceRange(.shares(0, 0.5))
        })
    }
  }

  /// Shallow steps take all packed weights from whole ones.
  @Test func weightsArePackedOnce() throws {
    let components = try Networks.components(.f32)
    let shape = UNet.Shape(batch: 1, height: 8, width: 8)
    var options = StepReuseOptions()
    options.interval = 2
    let steps = try UNetSteps(shape, components, reuse: options)
    let (whole, shallow) = (steps.programs[0].program, steps.programs[1].program)
    #expect(shallow.loadBytes > 0 && shallow.sharedBytes == shallow.loadBytes)
    #expect(shallow.loadBytes < whole.loadBytes)
    let other = try UNetSteps(UNet.Shape(batch: 2, height: 8, width: 8), components, sharing: steps)
    let program = other.programs[0].program
    #expect(Double(program.sharedBytes) > 0.9 * Double(program.loadBytes))
  }

  @Test func badNumbers() throws {
    for (interval, depth, first) in [(0, 2, 0), (2, 0, 0), (2, 12, 0), (2, 2, -1)] {
      #expect(throws: CommandError.self) {
        try SamplePlan(
          request("reuse_2_3") {
            $0.fewSteps.reuse.interval = interval
            $0.fewSteps.reuse.depth = depth
            $0.fewSteps.reuse.first = first
          })
      }
    }
    #expect(GuidanceRange(spelling: "0.2-0.8") == GuidanceRange(.shares(0.2, 0.8)))
    #expect(GuidanceRange(spelling: "3-12") == GuidanceRange(.steps(3, 12)))
    for bad in ["", "3", "0.8-0.2", "a-b", "-1-1", "0-5", "1.5-3", "0.5-0.5", "1-2-3"] {
      #expect(GuidanceRange(spelling: bad) == nil, "\(bad)")
    }
  }

  @Test func familiesByName() throws {
    let known: [(String, SamplerName, Int, Double)] = [
      ("lcm-lora-sdv1-5.safetensors", .lcm, 4, 1), ("LCM_LoRA_SD15.safetensors", .lcm, 4, 1),
      ("TCD-SD15-LoRA.safetensors", .tcd, 4, 1), ("Hyper-SD15-1step-lora.safetensors", .tcd, 1, 1),
      ("Hyper-SD15-8steps-lora.safetensors", .ddim, 8, 1),
      ("Hyper-SD15-12steps-CFG-lora.safetensors", .ddim, 12, 7),
      ("pcm_sd15_smallcfg_4step_converted.safetensors", .ddim, 4, 1),
      ("sd15_lightning_4step_lora.safetensors", .euler, 4, 1),
    ]
    for (name, sampler, steps, guidance) in known {
      let found = try #require(FewStepModel(adapter: name, in: name), "\(name)")
      #expect(found.sampler.sampler == sampler && found.steps == steps && found.guidance == guidance, "\(name)")
    }
    for name in ["cat.safetensors", "lightning_storm.safetensors", "hyperrealism.safetensors", "8steps.pth", "turbo_car.safetensors"] {
      #expect(FewStepModel(adapter: name, in: name) == nil, "\(name)")
    }
  }

  /// A file of the hub's usual name counts by its folder; a weak adapter does not.
  @Test func adaptersDecideWhatIsUnsaid() throws {
    let folder = scratch.url.appending(path: "lcm-lora-sdv1-5")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let file = folder.appending(path: "pytorch_lora_weights.safetensors")
    try FileManager.default.copyItem(at: Goldens.url("diffusers/lora_kohya.safetensors"), to: file)
    func plan(_ strength: Float, _ change: (inout SampleRequest) -> Void = { _ in }) throws -> SamplePlan {
      try SamplePlan(
        request("lcm_lora") {
          $0.model.adapters.files = [AdapterRequest(path: file.path, textEncoder: strength, unet: strength)]
          ($0.steps, $0.guidance) = (20, nil)
          $0.fewSteps.unsaid = [.steps, .sampler]
          change(&$0)
        })
    }
    let own = try plan(1)
    #expect(own.sampler == .lcm && own.request.steps == 4 && own.guidance == 1)
    #expect(own.fewStepRemark == "pytorch_lora_weights.safetensors is an LCM adapter: taking --sampler 'LCM' --steps 4 --cfg-scale 1")
    let weak = try plan(0.2)
    #expect(weak.fewStepRemark == nil && weak.request.steps == 20 && weak.guidance == 7)
    let half = try plan(1) { $0.guidance = 1.5; $0.fewSteps.unsaid = [.sampler] }
    #expect(half.sampler == .lcm && half.request.steps == 20 && half.guidance == 1.5)
  }

  @Test func previews() throws {
    let path = scratch.path("preview.png")
    for method in [LatentPreview.Method.proj, .tae, .vae] {
      let request = try request("euler_turbo") {
        $0.steps = 3
        $0.preview.method = method
        $0.preview.path = path
        $0.preview.taesd = Goldens.url("taesd/diffusers").path
      }
      try SampleJob(request, .silent).run()
      let side = method == .proj ? 8 : 64
      let image = try PNG.read(URL(fileURLWithPath: path)).image
      #expect(image.width == side && image.height == side, "\(method)")
      try FileManager.default.removeItem(atPath: path)
    }
    // None where there is none to make: none is asked for, or its turn never comes.
    try SampleJob(request("euler_turbo") { $0.preview.path = path }, .silent).run()
    try SampleJob(
      request("euler_turbo") {
        ($0.steps, $0.preview.interval) = (3, 3)
        ($0.preview.method, $0.preview.path) = (.proj, path)
      }, .silent).run()
    #expect(!FileManager.default.fileExists(atPath: path))
    #expect(throws: CommandError.self) {
      try Sampler(SamplePlan(request("euler_turbo") { $0.preview.method = .tae }), compiler())
    }
  }

  private func compiler() throws -> Compiler {
    var options = CompilationOptions()
    options.cacheFolder = SharedKernels.folder
    return try Compiler(options, precision: .f32, .silent)
  }

  /// The linear map of the embedded model beside its decoder, on latents of pictures it drew: closer than
  /// their mean by far.
  @Test func theMapShowsThePicture() throws {
    var options = ModelOptions()
    options.precision = .f32
    let components = try ModelComponents(options, compiler())
    let map = try LatentProjection.fitted(to: components)
    #expect(map.rows.count == 5 && map.unexplained < 0.5)
    var request = SampleRequest()
    request.prompt = "a red apple, in the snow"
    request.steps = 6
    request.model = options
    request.compiler.cacheFolder = SharedKernels.folder
    var latents: HostArray?
    var picture: PixelImage?
    let sampler = try Sampler(SamplePlan(request), compiler())
    try sampler.draw(observing: { latents = $0.last }) { _, image in picture = image }
    let (drawn, shown) = (try #require(picture), map.image(of: try #require(latents)))
    let small = try drawn.resized(width: shown.width, height: shown.height, .bilinear)
    let mean = (0..<3).map { channel in
      let values = stride(from: channel, to: small.pixels.count, by: 3).map { Double(small.pixels[$0]) }
      return values.reduce(0, +) / Double(values.count)
    }
    var (error, spread) = (0.0, 0.0)
    for (index, pixel) in small.pixels.enumerated() {
      error += pow(Double(pixel) - Double(shown.pixels[index]), 2)
      spread += pow(Double(pixel) - mean[index % 3], 2)
    }
    #expect(error < 0.5 * spread, "\(error / spread) of the variance is left")
  }
}
