import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscNetworks
import MoscReport
import MoscSample
import MoscTrain
import RunSupport
import Synchronization
import TestSupport
import Testing

/// What `mosc train` leaves beside the concept, and the memory that it plans for.
@Suite(.serialized) struct TrainOutputTests {
  private let scratch = Scratch()

  /// A preview holds the pictures that `mosc sample` draws with the concept of that step: a row for
  /// each prompt, a column for each strength.
  @Test func previewsAreSamples() throws {
    var request = try SmallTraining(scratch).embedded("run.safetensors", steps: 2)
    request.compiler.cacheFolder = SharedKernels.folder
    request.previewInterval = 2
    request.previewPrompts = ["a <dog1> <dog2>, on grass", "a <dog1> <dog2>, in space"]
    // Rates at which two steps are seen.
    (request.unetRate, request.textEncoderRate, request.embeddingRate) = (0.02, 0.02, 0.02)
    request.embeddingNormThreshold = .infinity
    try TrainJob(request, .silent).run()
    #expect(scratch.names.filter { $0.contains(".step-") } == ["run.step-2.png"])

    let strengths: [Float] = [0, 0.7, 1]
    let rows = try request.previewPrompts.map { prompt in
      ImageGrid.Row(prompt, try strengths.map { try picture(prompt, $0, request) })
    }
    let expected = try ImageGrid(rows, columns: ["0.0", "0.7", "1.0"]).image
    let preview = try ImageFile.read(URL(fileURLWithPath: scratch.path("run.step-2.png"))).rgb
    #expect(preview == expected)
    let pictures = rows.flatMap(\.pictures)
    for (index, picture) in pictures.enumerated() {
      #expect(!pictures[..<index].contains(picture), "picture \(index) is there twice")
    }
  }

  private func picture(
    _ prompt: String, _ strength: Float, _ training: TrainRequest
  ) throws -> PixelImage {
    var request = SampleRequest()
    (request.model, request.compiler) = (training.model, training.compiler)
    request.model.adapters.files = [
      AdapterRequest(path: training.output, textEncoder: strength, unet: strength)
    ]
    request.prompt = prompt
    request.seeds = [1]
    request.output = scratch.path("picture.png")
    try SampleJob(request, .silent).run()
    return try ImageFile.read(URL(fileURLWithPath: request.output)).rgb
  }

  // MARK: --max-ram

  /// Runs two steps under a limit and returns the MiB that one plans for, and the concept's tensors.
  private func train(
    _ name: String, limit: String?
  ) throws -> (planned: Int, concept: [String: [Float]]) {
    let log = Mutex("")
    var request = try SmallTraining(scratch).embedded(name, steps: 2)
    request.memoryLimit = try limit.map { try #require(ByteSize(spelling: $0)) }
    try TrainJob(request, Reporter(verbosity: .verbose, sink: { text in log.withLock { $0 += text } }))
      .run()
    let text = log.withLock { $0 }
    let match = try #require(
      text.firstMatch(of: /memory of a step: (\d+) MiB of weights, (\d+) MiB of values/), "\(text)")
    let planned = (Int(match.1) ?? 0) + (Int(match.2) ?? 0)
    let file = try SafetensorsFile(URL(fileURLWithPath: request.output))
    let tensors = try file.entries.map { ($0.name, try file.array($0.name).floats) }
    return (planned, Dictionary(uniqueKeysWithValues: tensors))
  }

  /// The least a step needs, as the refusal of a smaller limit names it.
  private func least() throws -> Int {
    var request = try SmallTraining(scratch).embedded("none.safetensors", steps: 1)
    request.memoryLimit = ByteSize(spelling: "1M")
    let error = #expect(throws: CommandError.self) { try TrainJob(request, .silent).run() }
    let message = error?.message ?? ""
    let match = try #require(
      message.firstMatch(of: /^--max-ram 1M: a step of this size needs at least (\d+)M$/),
      "\(message)")
    #expect(!FileManager.default.fileExists(atPath: request.output))
    return try #require(Int(match.1))
  }

  /// A limit between the least and what a step takes without one makes it keep less; what it learns
  /// stays the same.
  @Test func memoryIsLimited() throws {
    let free = try train("free.safetensors", limit: nil)
    let wide = try train("wide.safetensors", limit: "64G")
    #expect(wide.planned == free.planned && wide.concept == free.concept)
    let least = try least()
    #expect(least < free.planned)
    let tight = try train("tight.safetensors", limit: "\(least)M")
    #expect(tight.planned <= least && tight.planned < free.planned)
    #expect(tight.concept == free.concept)
  }
}
