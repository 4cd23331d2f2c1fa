import Foundation
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

/// Noise between two seeds.
@Suite(.serialized) struct VariationTests {
  private let scratch = Scratch()

  @Test func interpolatesAsTheWebUI() throws {
    let golden = try GoldenFile("img2img.safetensors")
    func noise(_ name: String) throws -> HostArray {
      let array = try golden["variation.\(name)"]
      return HostArray(array.floats, shape: [1] + array.shape)
    }
    let (a, b) = (try noise("a"), try noise("b"))
    let between = VariationOptions.between(a, b, 0.3)
    #expect(try zip(between.floats, noise("0.3").floats).allSatisfy { abs($0 - $1) < 2e-6 })
    let (first, last) = (VariationOptions.between(a, b, 0), VariationOptions.between(a, b, 1))
    #expect(zip(first.floats, a.floats).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(zip(last.floats, b.floats).allSatisfy { abs($0 - $1) < 1e-6 })
    // Of noises that agree, the web UI takes the ends the other way round.
    #expect(VariationOptions.between(a, a, 0.3).floats.elementsEqual(a.floats) { abs($0 - $1) < 1e-6 })
  }

  /// Pictures of a series share the seed, and each has another one for its variation.
  @Test func series() throws {
    var request = SampleRequest()
    request.prompt = "a fox"
    request.model.precision = .f32
    request.compiler.cacheFolder = SharedKernels.folder
    (request.steps, request.seeds, request.batchCount) = (1, [5], 2)
    (request.variation.seed, request.variation.strength) = (11, 0.25)
    request.output = scratch.path("v_%d.png")
    try SampleJob(request, .silent).run()
    var images: [PixelImage] = []
    for (number, other) in [(1, 11), (2, 12)] {
      let (image, texts) = try PNG.read(scratch.url.appending(path: "v_\(number).png"))
      let parameters = try Infotext(reading: try #require(texts.first { $0.keyword == "parameters" }).text)
      #expect(parameters["Seed"]?.text == "5")
      #expect(parameters["Variation seed"]?.text == "\(other)")
      #expect(parameters["Variation seed strength"]?.text == "0.25")
      images.append(image)
    }
    #expect(images[0] != images[1])
    var again = RedrawRequest(scratch.path("v_2.png"))
    again.output = scratch.path("again.png")
    again.compiler.cacheFolder = SharedKernels.folder
    try RedrawJob(again, .silent).run()
    #expect(
      try Data(contentsOf: scratch.url.appending(path: "again.png"))
        == Data(contentsOf: scratch.url.appending(path: "v_2.png")))
  }
}

/// Pictures that were made from others, drawn again.
@Suite(.serialized) struct RedrawFromPictureTests {
  private let scratch = Scratch()

  private func write(_ name: String, _ value: UInt8, channels: Int = 3) throws {
    let image = PixelImage(
      width: 64, height: 48, channels: channels,
      pixels: (0..<64 * 48 * channels).map { $0 / channels % 64 < 32 ? value : 255 })
    try PNG.write(image, to: scratch.url.appending(path: name))
  }

  @Test func drawsTheSameBytes() throws {
    try write("source.png", 90)
    try write("mask.png", 0, channels: 1)
    var request = SampleRequest()
    request.prompt = "a fox"
    (request.steps, request.seeds) = (2, [4])
    request.compiler.cacheFolder = SharedKernels.folder
    request.picture.image = scratch.path("source.png")
    request.picture.mask = scratch.path("mask.png")
    request.picture.fill = .noise
    request.regions.texts = ["box=0.25,0,1,1; prompt=a tree; strength=0.5"]
    request.output = scratch.path("first.png")
    try SampleJob(request, .silent).run()
    var again = RedrawRequest(scratch.path("first.png"))
    again.output = scratch.path("second.png")
    again.compiler.cacheFolder = SharedKernels.folder
    try RedrawJob(again, .silent).run()
    let first = try Data(contentsOf: scratch.url.appending(path: "first.png"))
    #expect(try first == Data(contentsOf: scratch.url.appending(path: "second.png")))
    // Somewhere else it is found when it is said, and refused when it is another one.
    try FileManager.default.moveItem(atPath: scratch.path("source.png"), toPath: scratch.path("moved.png"))
    #expect { try RedrawJob(again, .silent).run() } throws: { "\($0)".contains("--init-img") }
    again.source = scratch.path("moved.png")
    try RedrawJob(again, .silent).run()
    // What it says of where its source lies differs, the picture does not.
    let moved = try ImageFile.read(scratch.url.appending(path: "second.png"))
    #expect(try moved.pixels == ImageFile.read(scratch.url.appending(path: "first.png")).pixels)
    again.source = scratch.path("mask.png")
    #expect { try RedrawJob(again, .silent).run() } throws: { "\($0)".contains("has the hash") }
  }

  /// The web UI tells how a picture was made from another, but not which.
  @Test func readsTheWebUI() throws {
    let text = """
      a fox
      Steps: 4, Sampler: Euler, CFG scale: 7, Seed: 3, Size: 64x48, Model: base, Variation seed: 9, \
      Variation seed strength: 0.1, Denoising strength: 0.6, Mask blur: 2, Masked content: latent nothing, \
      Inpaint area: Only masked, Masked area padding: 16, Mask mode: Inpaint not masked, Version: v1.10.1
      """
    let image = PixelImage(width: 1, height: 1, pixels: [1, 2, 3])
    try PNG.write(image, texts: [("parameters", text)], to: scratch.url.appending(path: "web.png"))
    let settings = try PictureSettings(contentsOf: scratch.url.appending(path: "web.png"))
    let picture = settings.request.picture
    #expect(picture.strength == 0.6 && picture.maskBlur == 2 && picture.fill == .nothing)
    #expect(picture.drawsOnlyMasked && picture.padding == 16 && picture.invertsMask)
    #expect(settings.request.variation.seed == 9 && settings.request.variation.strength == 0.1)
    #expect(settings.hasSource && settings.remarks.isEmpty)
  }
}
