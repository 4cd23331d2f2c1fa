import Foundation
import MoscDriver
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscNetworks
import MoscReport
import RunSupport
import TestSupport
import Testing

/// Tiny autoencoders against diffusers, in every layout of files that there is.
@Suite(.serialized) struct TinyAutoencoderTests {
  private let folder = Goldens.url("taesd")

  private func components(_ vae: String, _ precision: Precision = .f32) throws -> ModelComponents {
    var options = CompilationOptions()
    options.cacheFolder = SharedKernels.folder
    options.threads = 2
    options.verifiesEach = true
    var model = ModelOptions(path: GoldenFile.model)
    model.taesd = vae
    return try ModelComponents(model, try Compiler(options, precision: precision, .silent))
  }

  private func golden(_ name: String) throws -> HostArray {
    try SafetensorsFile(folder.appending(path: "expected.safetensors")).array(name)
  }

  private func check(_ components: ModelComponents, _ tolerance: Double) throws {
    let decoded = try RunJob.run(.vaeDecoder, ["latents": golden("latents")], components)
    let image = try #require(decoded["image"])
    #expect(image.shape == [2, 3, 24, 40])
    #expect(try Comparison.relative(image.floats, golden("decoded").floats) < tolerance)
    let encoded = try RunJob.run(.vaeEncoder, ["image": golden("image")], components)
    let moments = try #require(encoded["moments"])
    #expect(moments.shape == [2, 8, 4, 6])
    // Means and log-variances of one sample after the other.
    let half = 4 * 4 * 6
    let parts = (0..<4).map { Array(moments.floats[$0 * half..<($0 + 1) * half]) }
    #expect(try Comparison.relative(parts[0] + parts[2], golden("encoded").floats) < tolerance)
    #expect((parts[1] + parts[3]).allSatisfy { $0 == -30 })
  }

  @Test(arguments: ["diffusers", "diffusers/diffusion_pytorch_model.safetensors", "both.safetensors", "taesd_decoder.pth", "taesd_encoder.pth"])
  func everyLayout(_ name: String) throws {
    let components = try components(folder.appending(path: name).path)
    let config = try components.model.vae().config
    #expect(config.tiny == TinyAutoencoderConfig(
      encoderWidths: [8, 8, 8, 8], encoderBlocks: [1, 2, 1, 1], decoderWidths: [8, 8, 8, 8],
      decoderBlocks: [2, 1, 1, 1]))
    #expect(config.downsampling == 8 && config.scalingFactor == 1)
    try check(components, 1e-5)
  }

  @Test func inBF16() throws {
    try check(try components(folder.appending(path: "diffusers").path, .bf16), 2e-2)
  }

  /// A decoder alone draws, and says what it lacks when asked to encode.
  @Test func aDecoderAlone() throws {
    let scratch = Scratch()
    let file = URL(fileURLWithPath: scratch.path("taesd_decoder.pth"))
    try FileManager.default.copyItem(at: folder.appending(path: "taesd_decoder.pth"), to: file)
    let components = try components(file.path)
    let decoded = try RunJob.run(.vaeDecoder, ["latents": golden("latents")], components)
    #expect(try Comparison.relative(try #require(decoded["image"]).floats, golden("decoded").floats) < 1e-5)
    let error = #expect(throws: Diagnostic.self) {
      try RunJob.run(.vaeEncoder, ["image": golden("image")], components)
    }
    #expect(error?.message.contains("decoder alone") == true)
    #expect(try MoscProgram.run("inspect", file.path).output.contains("--taesd"))
  }

  @Test func isNamedByItsContent() throws {
    for name in ["both.safetensors", "diffusers", "taesd_encoder.pth"] {
      let outcome = try MoscProgram.run("inspect", folder.appending(path: name).path)
      #expect(outcome.output.contains("a tiny autoencoder (TAESD)"), "\(name): \(outcome.errors)")
    }
  }

  @Test func refusesOthers() throws {
    let large = #expect(throws: FormatError.self) { try components(GoldenFile.model) }
    #expect(large?.message.contains("no tiny one") == true)
    let scratch = Scratch()
    let encoder = URL(fileURLWithPath: scratch.path("encoder.pth"))
    try FileManager.default.copyItem(at: folder.appending(path: "taesd_encoder.pth"), to: encoder)
    let alone = #expect(throws: FormatError.self) { try components(encoder.path) }
    #expect(alone?.message.contains("no decoder") == true)
    let whole = #expect(throws: FormatError.self) {
      try DiffusersModel(at: folder.appending(path: "both.safetensors"))
    }
    #expect(whole?.message.contains("--taesd") == true)
  }
}
