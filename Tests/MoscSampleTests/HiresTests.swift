import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscImages
import MoscNetworks
import MoscPrompts
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// The second pass in a larger size.
@Suite(.serialized) struct HiresTests {
  private let scratch = Scratch()

  private func request(_ change: (inout SampleRequest) -> Void = { _ in }) -> SampleRequest {
    var request = SampleRequest()
    request.prompt = "a fox, on grass"
    request.steps = 3
    (request.width, request.height) = (64, 64)
    request.model.precision = .f32
    // Pictures of a test share kernels.
    request.compiler.cacheFolder = SharedKernels.folder
    request.hires.isOn = true
    request.output = scratch.path("a.png")
    change(&request)
    return request
  }

  private func drawn(_ request: SampleRequest) throws -> PixelImage {
    try SampleJob(request, .silent).run()
    return try PNG.read(URL(fileURLWithPath: request.output)).image
  }

  private func fault(_ change: (inout SampleRequest) -> Void) -> String {
    do {
      _ = try SamplePlan(request(change))
      return "nothing"
    } catch { return "\(error)" }
  }

  /// As many steps are taken as asked for, of a schedule that is longer; what a plan says of its second pass.
  @Test func plans() throws {
    let plan = try SamplePlan(request { ($0.steps, $0.hires.steps, $0.hires.strength) = (20, 10, 0.5) })
    let second = try #require(try plan.secondPass())
    #expect((second.width, second.height) == (128, 128) && second.request.steps == 20 && second.calls == 10)
    #expect(try SamplePlan(request { $0.hires.isOn = false }).secondPass() == nil)
    let usual = try #require(try SamplePlan(request { $0.steps = 20 }).secondPass())
    // int(20 / 0.7), of which 20 are taken.
    #expect(usual.request.steps == 28 && usual.calls == 20)
    func size(_ width: Int, _ height: Int) throws -> [Int] {
      let plan = try SamplePlan(request { $0.hires.size = (width, height) })
      let second = try #require(try plan.secondPass())
      return [second.width, second.height]
    }
    #expect(try size(96, 0) == [96, 96])
    #expect(try size(0, 128) == [128, 128])
    #expect(try size(128, 64) == [128, 64])
    #expect(try size(96, 128) == [96, 128])
  }

  /// Fractions above 1 are of the second pass.
  @Test func schedulesOfPrompts() throws {
    let plan = try SamplePlan(
      request { ($0.steps, $0.hires.steps, $0.prompt) = (4, 4, "a [fox:dog:0.5] [red:blue:1.5]") })
    let second = try #require(try plan.secondPass())
    let (first, last) = (plan.scripts[0], second.scripts[0])
    #expect(first.texts(at: 0).last == ["a fox red"] && first.texts(at: 3).last == ["a dog red"])
    #expect(last.texts(at: 0).last == ["a dog red"] && last.texts(at: 3).last == ["a dog blue"])
  }

  @Test(arguments: [HiresUpscaler.latent(.antialiasedBicubic), .picture(.lanczos), .file("x4")])
  func draws(upscaler: HiresUpscaler) throws {
    var asked = request()
    asked.hires.scale = 1.5
    asked.hires.upscaler = upscaler == .file("x4") ? .file(Goldens.url("torch/upscaler-x4.pth").path) : upscaler
    let picture = try drawn(asked)
    #expect((picture.width, picture.height) == (96, 96))
    // Metadata draw it again.
    let texts = try PNG.read(URL(fileURLWithPath: asked.output)).texts
    let parameters = try #require(texts.first { $0.keyword == "parameters" }?.text)
    #expect(parameters.contains("Size: 64x64"))
    #expect(parameters.contains("Denoising strength: 0.7, Hires upscale: 1.5, Hires upscaler: \(asked.hires.upscaler.title)"))
    let settings = try PictureSettings(contentsOf: URL(fileURLWithPath: asked.output))
    #expect(settings.request.hires == asked.hires)
    var again = RedrawRequest(asked.output)
    again.compiler.cacheFolder = SharedKernels.folder
    again.output = scratch.path("b.png")
    try RedrawJob(again, .silent).run()
    #expect(try PNG.read(URL(fileURLWithPath: again.output)).image == picture)
  }

  /// The composition is the first pass's: made small again, the picture is near it; at full strength it need not be.
  @Test func staysNearTheFirstPass() throws {
    let first = try drawn(request { ($0.hires.isOn, $0.steps, $0.seeds) = (false, 8, [3]) })
    func distance(_ strength: Double) throws -> Double {
      let large = try drawn(
        request {
          ($0.hires.strength, $0.steps, $0.seeds, $0.hires.upscaler) = (strength, 8, [3], .picture(.bicubic))
        })
      let small = try large.resized(width: 64, height: 64, .bicubic)
      let sum = zip(small.pixels, first.pixels).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
      return (sum / Double(first.pixels.count)).squareRoot()
    }
    let (near, far) = try (distance(0.2), distance(1))
    #expect(near < far && near < 40, "\(near) \(far)")
  }

  /// Two pictures of a batch have the seeds of two pictures.
  @Test func batches() throws {
    let together = request { ($0.batchSize, $0.seeds, $0.output) = (2, [5], scratch.path("s_%d.png")) }
    try SampleJob(together, .silent).run()
    let single = try drawn(request { $0.seeds = [6] })
    let second = try PNG.read(URL(fileURLWithPath: scratch.path("s_2.png"))).image
    let worst = zip(single.pixels, second.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 255
    #expect(worst <= 1)
  }

  @Test func badInput() {
    #expect(fault { $0.hires.scale = 0.5 }.contains("--hires-scale 0.5: expected 1 to 16"))
    #expect(fault { $0.hires.strength = 0 }.contains("--hires-strength 0.0: expected a number above 0"))
    #expect(fault { $0.hires.strength = 1.1 }.contains("--hires-strength 1.1"))
    #expect(fault { $0.hires.steps = 0 }.contains("--hires-steps 0"))
    #expect(fault { $0.picture.image = "a.png" }.contains("--hires: --init-img"))
    #expect(fault { $0.sigmas = [10, 1, 0] }.contains("--hires: --sigmas"))
    #expect(fault { ($0.width, $0.hires.scale) = (4096, 4) }.contains("would be 16384"))
  }

  /// The web UI's spelling is read.
  @Test func foreignPictures() throws {
    let text = """
      a cat
      Steps: 8, Sampler: Euler a, CFG scale: 7, Seed: 3, Size: 64x96, Denoising strength: 0.55, Hires resize: 128x160, \
      Hires steps: 6, Hires upscaler: Latent (bicubic), Version: v1.10.1
      """
    let image = PixelImage(width: 1, height: 1, pixels: [0, 0, 0])
    let url = URL(fileURLWithPath: scratch.path("foreign.png"))
    try PNG.encode(image, texts: [("parameters", text)]).write(to: url)
    let hires = try PictureSettings(contentsOf: url).request.hires
    #expect(hires.isOn && hires.strength == 0.55 && hires.steps == 6 && hires.upscaler == .latent(.bicubic))
    #expect(hires.size?.width == 128 && hires.size?.height == 160)
    let file = text.replacing("Latent (bicubic)", with: "R-ESRGAN 4x+")
    try PNG.encode(image, texts: [("parameters", file)]).write(to: url)
    let settings = try PictureSettings(contentsOf: url)
    #expect(settings.request.hires.upscaler == .picture(.lanczos))
    #expect(settings.remarks.contains { $0.contains("'R-ESRGAN 4x+' is a file") })
  }
}
