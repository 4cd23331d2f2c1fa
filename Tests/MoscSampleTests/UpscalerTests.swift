import Foundation
import MoscDriver
import MoscEngine
import MoscFormats
import MoscIR
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// Upscaling networks of files, and latents in other sizes, against torch.
@Suite(.serialized) struct UpscalerTests {
  private let scratch = Scratch()
  private static let golden = Goldens.url("torch/upscaler.safetensors").path

  private func compiler(_ precision: Precision = .f32) throws -> Compiler {
    var options = CompilationOptions()
    options.cacheFolder = SharedKernels.folder
    options.threads = 2
    return try Compiler(options, precision: precision, .silent)
  }

  private func network(_ scale: Int) -> URL { Goldens.url("torch/upscaler-x\(scale).pth") }

  @Test(arguments: [(4, Precision.f32, 1e-5), (2, .f32, 1e-5), (4, .bf16, 2e-2)])
  func network(scale: Int, precision: Precision, tolerance: Double) throws {
    let model = try UpscalerModel(network(scale))
    #expect(model.config == UpscalerConfig(width: 16, growth: 4, blocks: 2, unshuffle: 4 / scale))
    #expect(model.config.scale == scale)
    let module = try model.module(height: 10, width: 14)
    let compiler = try compiler(precision)
    let program = try Program(
      compiler.compile(module, function: "upscaler"), weights: WeightFiles([UpscalerModel.source: model.file]),
      on: compiler)
    let image = try TensorFile.read(Self.golden, "image").channelsLast
    let result = try #require(try program.run(["image": image])["result"]).channelsFirst
    let expected = try TensorFile.read(Self.golden, "x\(scale)")
    #expect(result.shape == expected.shape)
    #expect(Comparison.relative(result.floats, expected.floats) < tolerance)
  }

  /// Every naming is one network.
  @Test func namings() throws {
    let file = try TorchFile(network(4))
    for (style, rename) in [("basicSR", Self.basicSR), ("trunk", Self.trunk)] {
      let path = scratch.path("\(style).safetensors")
      let tensors = try file.tensors.map { (rename($0.name), try file.array($0.name)) }
      try SafetensorsFile.write(tensors, metadata: [:], to: URL(fileURLWithPath: path))
      #expect(try UpscalerModel(URL(fileURLWithPath: path)).config == UpscalerModel(network(4)).config)
    }
  }

  /// BasicSR's name of a tensor of the first release.
  private static func basicSR(_ name: String) -> String {
    let parts = name.split(separator: ".").map(String.init)
    if parts.count == 7 { return "body.\(parts[3]).\(parts[4].lowercased()).\(parts[5])".replacing("..", with: ".") }
    if parts.count == 8 { return "body.\(parts[3]).\(parts[4].lowercased()).\(parts[5]).\(parts[7])" }
    if parts.count == 5 { return "conv_body.\(parts[4])" }
    let names = ["0": "conv_first", "3": "conv_up1", "6": "conv_up2", "8": "conv_hr", "10": "conv_last"]
    return "\(names[parts[1]] ?? "?").\(parts[2])"
  }

  private static func trunk(_ name: String) -> String {
    var result = basicSR(name)
    if result.hasPrefix("body.") {
      result = result.replacing("body.", with: "RRDB_trunk.").replacing("rdb", with: "RDB")
    }
    for (own, other) in [("conv_body", "trunk_conv"), ("conv_up", "upconv"), ("conv_hr", "HRconv")] {
      result = result.replacing(own, with: other)
    }
    return result
  }

  private func fault(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "nothing"
    } catch { return "\(error)" }
  }

  @Test func refusals() throws {
    func message(_ tensors: [(String, [Int])]) throws -> String {
      let url = URL(fileURLWithPath: scratch.path("other.safetensors"))
      try SafetensorsFile.write(
        tensors.map { ($0.0, HostArray([Float](repeating: 0, count: $0.1.reduce(1, *)), shape: $0.1)) }, metadata: [:],
        to: url)
      return fault { _ = try UpscalerModel(url) }
    }
    // SRVGGNetCompact, an adapter, a network without its end, one of another depth.
    #expect(try message([("params.body.0.weight", [64, 3, 3, 3])]).contains("is no upscaler that is known here"))
    #expect(try message([("lora_unet_x.lora_down.weight", [4, 8])]).contains("it is a LoRA"))
    #expect(
      try message([("body.0.rdb1.conv1.weight", [4, 16, 3, 3]), ("conv_first.weight", [16, 3, 3, 3])])
        .contains("'conv_last.weight'"))
    #expect(
      try message([
        ("body.0.rdb1.conv1.weight", [4, 16, 3, 3]), ("conv_first.weight", [16, 5, 3, 3]),
        ("conv_last.weight", [3, 16, 3, 3]),
      ]).contains("reads 5 channels"))
    #expect(fault { _ = try PictureUpscaler(network(4).path, tileSize: 9, compiler()) }.contains("--tile 9: expected"))
    #expect(HiresUpscaler(spelling: "R-ESRGAN 4x+") == nil)
  }

  private func picture(_ width: Int, _ height: Int) -> PixelImage {
    let pixels = (0..<width * height * 3).map { index -> UInt8 in
      let (x, y) = (index / 3 % width, index / 3 / width)
      return UInt8(128 + 100 * sin(Double(x) * 0.21 + Double(index % 3)) * cos(Double(y) * 0.17))
    }
    return PixelImage(width: width, height: height, pixels: pixels)
  }

  /// A picture in tiles is the picture, but for what lies beyond the reach of a tile; odd sizes keep theirs.
  @Test func tiles() throws {
    let small = picture(101, 70)
    let compiler = try compiler()
    let whole = try PictureUpscaler(network(4).path, tileSize: 0, compiler).enlarge(small)
    let tiled = try PictureUpscaler(network(4).path, tileSize: 64, compiler).enlarge(small)
    #expect((whole.width, whole.height) == (404, 280) && tiled.pixels.count == whole.pixels.count)
    // Random weights see further than trained ones: 8 of 255 at the worst place.
    let differences = zip(whole.pixels, tiled.pixels).map { abs(Int($0) - Int($1)) }
    let mean = Double(differences.reduce(0, +)) / Double(differences.count)
    #expect(mean < 0.5 && (differences.max() ?? 255) <= 16, "\(mean)")
    let doubled = try PictureUpscaler(network(2).path, compiler).enlarge(picture(33, 21))
    #expect((doubled.width, doubled.height) == (66, 42))
  }

  @Test func command() throws {
    try PNG.write(picture(12, 9), to: URL(fileURLWithPath: scratch.path("small.png")))
    var request = UpscaleRequest(scratch.path("small.png"), upscaler: network(4).path)
    (request.output, request.scale, request.precision) = (scratch.path("large.png"), 3, .f32)
    request.compiler.cacheFolder = SharedKernels.folder
    try UpscaleJob(request, .silent).run()
    let large = try ImageFile.read(URL(fileURLWithPath: request.output))
    #expect((large.width, large.height) == (36, 27))
    request.scale = 0
    #expect(fault { try UpscaleJob(request, .silent).run() }.contains("--scale 0"))
  }

  @Test(arguments: LatentFilter.allCases)
  func latents(filter: LatentFilter) throws {
    let latents = try TensorFile.read(Self.golden, "latents").channelsLast
    for (height, width) in [(10, 14), (8, 9), (3, 4)] {
      let expected = try TensorFile.read(Self.golden, "\(filter.rawValue).\(height)x\(width)")
      let found = filter.resized(latents, height: height, width: width).channelsFirst
      #expect(found.shape == expected.shape)
      #expect(Comparison.relative(found.floats, expected.floats) < 1e-6, "\(height)x\(width)")
    }
    // On a ring, what is moved on comes out moved on.
    let line = HostArray([Float](arrayLiteral: 1, 5, 2, 9), shape: [1, 1, 4, 1])
    let moved = HostArray([Float](arrayLiteral: 5, 2, 9, 1), shape: [1, 1, 4, 1])
    let (a, b) = (
      filter.resized(line, height: 1, width: 8, rings: [2]).floats, filter.resized(moved, height: 1, width: 8, rings: [2]).floats
    )
    #expect(zip(a[2...] + a[..<2], b).allSatisfy { abs($0 - $1) < 1e-5 })
  }

  @Test func names() {
    #expect(HiresUpscaler(spelling: "Latent") == .latent(.bilinear))
    #expect(HiresUpscaler(spelling: "latent (nearest-exact)") == .latent(.nearestExact))
    #expect(HiresUpscaler(spelling: "Latent (bicubic antialiased)") == .latent(.antialiasedBicubic))
    #expect(HiresUpscaler(spelling: "Lanczos") == .picture(.lanczos))
    #expect(HiresUpscaler(spelling: "None") == .picture(.lanczos))
    #expect(HiresUpscaler(spelling: "x/4x.pth") == .file("x/4x.pth"))
    for known in HiresUpscaler.builtIn { #expect(HiresUpscaler(spelling: known.title) == known) }
  }
}
