import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport
import MoscTrain
import RunSupport
import TestSupport
import Testing

/// What a run is where little is said, and what is refused because nothing would read it.
@Suite struct TrainDefaultsTests {
  private let scratch = Scratch()

  private func request() throws -> TrainRequest {
    var request = try SmallTraining(scratch).embedded("run.safetensors")
    (request.steps, request.resolution) = (nil, nil)
    return request
  }

  private func plan(_ request: TrainRequest) throws -> TrainPlan {
    try TrainJob(request, .silent).plan
  }

  private func refusal(_ change: (inout TrainRequest) throws -> Void) throws -> String {
    var bad = try request()
    try change(&bad)
    let error = #expect(throws: (any Error).self) { try TrainJob(bad, .silent) }
    return error.map { String(describing: $0) } ?? ""
  }

  /// The embedded model says itself what suits it, others are taken for Stable Diffusion.
  @Test func settingsBelongToTheModel() throws {
    var request = try request()
    let own = try plan(request)
    #expect(own.steps == 300 && own.setup.dataset.batchSize == 2)
    #expect(own.setup.model.unet?.rank == 16 && own.setup.model.textEncoder?.rank == 16)
    #expect(own.setup.model.unet?.learningRate == 3e-3 && own.setup.model.unet?.layers == .block)
    #expect(own.setup.model.textEncoder?.learningRate == 1e-3)
    #expect(own.setup.model.embedding?.learningRate == 1e-2)
    #expect(own.setup.optimiser.embeddingNormThreshold == 2)
    #expect(own.setup.model.attentionWeight == nil && own.setup.validation.guidance == 4)

    // Fewer layers, if asked for.
    request.layers = .attention
    let narrow = try plan(request)
    #expect(narrow.setup.model.unet?.layers == .attention && narrow.setup.model.textEncoder?.layers == .attention)
    #expect(narrow.model.adapters.adapters[0].applied(.unet) < own.model.adapters.adapters[0].applied(.unet))
    request.layers = nil
    request.model.path = GoldenFile.model
    request.resolution = 64
    let other = try plan(request)
    #expect(other.steps == 1000 && other.setup.dataset.batchSize == 2)
    #expect(other.setup.model.unet?.rank == 4)
    #expect(other.setup.model.unet?.learningRate == 1e-4)
    #expect(other.setup.model.textEncoder?.learningRate == 1e-5)
    #expect(other.setup.model.embedding?.learningRate == 1e-3)
    #expect(other.setup.optimiser.embeddingNormThreshold == 0.55)
    // There are masks.
    #expect(other.setup.model.attentionWeight == 0.01)
    #expect(other.summary.contains { $0.contains("3 pictures, 1000 steps of 2 pictures") })
  }

  @Test func ratesAndAlphaAsKohyaCountsThem() throws {
    var request = try request()
    (request.learningRate, request.unetRate, request.networkAlpha) = (0.5, 0.25, 4)
    request.rank = 8
    (request.epochs, request.batchSize, request.accumulation) = (10, 1, 2)
    let plan = try plan(request)
    #expect(plan.setup.model.textEncoder?.learningRate == 0.5)
    #expect(plan.setup.model.unet?.learningRate == 0.25)
    #expect(plan.setup.model.embedding?.learningRate == 1e-2)
    #expect(plan.setup.model.unet?.alpha == 0.5)
    // Three pictures are two steps of two batches.
    #expect(plan.steps == 20)
  }

  /// Folders of several things would all teach one.
  @Test func severalThingsAreRefused() throws {
    let data = Scratch()
    for (folder, name) in [("5_sks dog", "a"), ("5_ohwx bird", "b")] {
      try FileManager.default.createDirectory(
        at: data.url.appending(path: folder), withIntermediateDirectories: true)
      try data.picture("\(folder)/\(name).png")
    }
    let text = try refusal { $0.data = data.url.path }
    #expect(text.contains("are of 2 things, 'ohwx bird', 'sks dog', but a run teaches one"), "\(text)")
    try FileManager.default.moveItem(
      at: data.url.appending(path: "5_ohwx bird"), to: data.url.appending(path: "2_Sks dog"))
    var same = try request()
    same.data = data.url.path
    #expect(try plan(same).setup.dataset.images.count == 7)
    // What lies beside such folders is not learnt from, which is said.
    try data.picture("c.png")
    let notes = try plan(same).setup.notes
    #expect(notes.count == 1 && notes[0].contains("'c.png' beside folders named 'N_class'"))

    let toml = try data.write("data.toml", """
      [[datasets]]
      [[datasets.subsets]]
      image_dir = "\(data.url.path)/5_sks dog"
      class_tokens = "dog"
      [[datasets.subsets]]
      image_dir = "\(data.url.path)/2_Sks dog"
      class_tokens = "a bird"
      """)
    let subsets = try refusal { ($0.data, $0.config) = (nil, toml.path) }
    #expect(subsets.contains("'a bird', 'dog'"), "\(subsets)")
  }

  /// A list of pictures says no words: they are asked for, and captions name them.
  @Test func aListOfPicturesNeedsWords() throws {
    let data = Scratch()
    try data.picture("a.png")
    let toml = try data.write("data.toml", """
      [general]
      enable_bucket = true
      [[datasets]]
      [[datasets.subsets]]
      image_dir = "\(data.url.path)"
      class_tokens = "dog"
      """)
    var request = try request()
    (request.data, request.config) = (nil, toml.path)
    let plan = try plan(request)
    #expect(plan.setup.dataset.images.map(\.caption) == ["<dog1> <dog2>, dog"])
    #expect(plan.setup.model.words.map(\.start) == [.random(deviation: 0.013), .word("dog")])
    #expect(DataTransform.outputSize(plan.setup.dataset.transforms[0])?.width == 128)
    #expect(plan.setup.notes.count == 1 && plan.setup.notes[0].contains("enable_bucket"))
    #expect(plan.steps == 300 && plan.setup.model.unet?.rank == 16)
    (request.concept, request.start) = (nil, "dog")
    #expect { try TrainJob(request, .silent) } throws: { "\($0)".contains("--init needs the words") }
    // Without words it is a plain LoRA, which is said.
    request.start = nil
    let wordless = try self.plan(request)
    #expect(wordless.setup.model.words.isEmpty)
    #expect(wordless.setup.dataset.images.map(\.caption) == ["dog"])
    #expect(wordless.setup.warnings.contains { $0.hasPrefix("no words are taught") })
  }

  /// Options that nothing would read.
  @Test func ignoredOptionsAreRefused() throws {
    for change: (inout TrainRequest) -> Void in [
      { $0.concept = "<a1> <a2>" }, { $0.start = "dog" }, { $0.resolution = 64 }, { $0.masks = "m" },
    ] {
      let text = try refusal {
        ($0.data, $0.concept, $0.start, $0.config) = (nil, nil, nil, "options.yml")
        change(&$0)
      }
      #expect(text.contains("and --config exclude each other: 'options.yml' says it"), "\(text)")
    }
    let concept = RecordedRun.url("edlora_kaori.pth").path
    for change: (inout TrainRequest) -> Void in [
      { $0.rank = 3 }, { $0.alpha = 1 }, { $0.start = "dog" }, { $0.concept = "<x1> <x2>" },
    ] {
      let text = try refusal {
        ($0.model.path, $0.resolution) = (GoldenFile.model, 64)
        $0.model.adapters.files = [AdapterRequest(path: concept)]
        ($0.concept, $0.start) = (nil, nil)
        change(&$0)
      }
      #expect(text.contains("--lora"), "\(text)")
    }
  }
}
