import Foundation
import MoscEngine
import MoscFormats
import MoscFuse
import MoscImages
import MoscNetworks
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// `mosc fuse --sheet`: each concept by its own file and by the fused one.
@Suite(.serialized) struct FuseSheetTests {
  private let scratch = Scratch()
  private static let concepts = [
    (file: "edlora_hina", prompt: "photo of a <hina1> <hina2>"),
    (file: "edlora_kaori", prompt: "photo of a <kaori1> <kaori2>"),
  ]

  /// The cells are the pictures that `mosc sample` draws of the same prompts and seeds.
  @Test func cellsAreSamples() throws {
    var request = FuseRequest()
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.compiler.cacheFolder = SharedKernels.folder
    let files = Self.concepts.map { RecordedRun.url("\($0.file).pth").path }
    request.inputs = files.map { .concept(AdapterRequest(path: $0)) }
    request.output = scratch.path("fused.safetensors")
    request.sheet = scratch.path("sheet.png")
    request.method = .concat
    request.size = 64
    request.steps = 3
    request.seed = 4
    try FuseJob(request, .silent).run()

    let rows = try Self.concepts.enumerated().map { index, concept in
      let own = try pictures(concept.prompt, files[index], request)
      let fused = try pictures(concept.prompt, request.output, request)
      #expect(own[0] != own[1] && own != fused)
      return ImageGrid.Row(concept.file, own + fused)
    }
    let expected = try ImageGrid(rows, columns: ["alone", "", "fused", ""]).image
    let sheet = try ImageFile.read(URL(fileURLWithPath: scratch.path("sheet.png"))).rgb
    #expect(sheet == expected)
  }

  /// Two pictures of a prompt with a concept.
  private func pictures(
    _ prompt: String, _ adapter: String, _ fusion: FuseRequest
  ) throws -> [PixelImage] {
    var request = SampleRequest()
    request.model = fusion.model
    request.model.adapters.files = [AdapterRequest(path: adapter)]
    request.compiler = fusion.compiler
    request.prompt = prompt
    request.steps = fusion.steps
    (request.width, request.height) = (64, 64)
    request.seeds = [fusion.seed, fusion.seed + 1]
    request.output = scratch.path("%d.png")
    try SampleJob(request, .silent).run()
    return try [1, 2].map {
      try ImageFile.read(URL(fileURLWithPath: scratch.path("\($0).png"))).rgb
    }
  }
}
