import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscRandom
import MoscReport
import MoscSample

/// Both towers of a CLIP model, on pictures and captions.
struct ContrastiveStage: TrainedStage {
  private let folder: JudgeFolder
  private let model: CLIPModelFolder
  private let set: PictureSet
  private let random: RunSeed
  /// Captions that are wrong about a picture, as a file STEM.json beside it tells them.
  private let wrong: [[String]]

  let measure = "missed"

  /// - Throws: `FormatError` for a picture of another size than the model's, or a file beside it that names
  ///   no captions.
  init(_ folder: JudgeFolder, _ set: PictureSet, _ random: RunSeed) throws {
    self.folder = folder
    self.set = set
    self.random = random
    model = try folder.model()
    let side = model.config.vision.side
    for (image, size) in zip(set.images, set.sizes) where size != (side, side) {
      throw FormatError(
        image.image.path, nil,
        "is \(size.width)×\(size.height), expected \(side)×\(side), the size of the model's pictures")
    }
    wrong = try set.images.map { try WrongCaptions(beside: $0.image).texts.map(\.text) }
  }

  private var wrongCaptions: Int { wrong.contains { !$0.isEmpty } ? 1 : 0 }

  func module(_ group: BatchPlan.Group) throws -> TrainingModule {
    try model.trainingModule(ContrastiveStep(batch: group.batch, wrong: wrongCaptions))
  }

  func inputs(
    _ batch: BatchPlan.Batch, _ group: BatchPlan.Group, step: Int, isMeasured: Bool
  ) throws -> [String: HostArray] {
    let salt = isMeasured ? RunSeed.Stream.validation.rawValue : 0
    let own = batch.pictures.map { set.images[$0].caption }
    var captions = own
    if wrongCaptions > 0 {
      for (place, picture) in batch.pictures.enumerated() {
        // A picture that nothing wrong is said of gets the caption of any other.
        let texts = wrong[picture].isEmpty ? set.images.map(\.caption) : wrong[picture]
        let choice = random.uniform(.dropout, step, place, salt: salt) * Double(texts.count)
        captions.append(texts[Int(choice)])
      }
    }
    var excluded: [Float] = []
    for (row, caption) in own.enumerated() {
      for (column, other) in captions.enumerated() {
        excluded.append(row != column && other == caption ? ContrastiveStep.exclusion : 0)
      }
    }
    var inputs = model.inputs(captions)
    inputs["excluded"] = HostArray(excluded, shape: [own.count, captions.count])
    let pixels = try batch.pictures.flatMap { try set.pixels($0) }
    inputs["image"] = HostArray(
      model.picture.values(pixels), shape: [own.count, group.height, group.width, 3])
    return inputs
  }

  func weights() throws -> [String: HostArray] { try model.canonicalWeights() }

  func save(_ weights: [String: HostArray]) throws { try folder.write(weights) }
}

extension PretrainJob {
  /// Trains a CLIP model, which is a folder of its own kind.
  func trainJudge() throws {
    let folder = JudgeFolder(url: URL(fileURLWithPath: request.output), savedType: request.savedType)
    let source: CLIPModelFolder
    if let path = request.start ?? request.configuration {
      source = try CLIPModelFolder(at: URL(fileURLWithPath: path))
    } else {
      source = try CLIPModelFolder.judge()
    }
    let random = RunSeed(request.seed)
    let isKnown = try isKnown(folder.url)
    let set = try pictures(factor: source.config.vision.patch)
    // The model and, while it is replaced, the state twice, each with parameters, means and averages.
    try DiskSpace.check(
      folder.url.standardizedFileURL.deletingLastPathComponent(),
      needs: (4 + 2 * 16) * (try source.requests().parameters), for: "the model and its training state")
    if !isKnown { try folder.create(from: source, keepsWeights: request.start != nil, random) }
    let compiler = try Compiler(training: request.compiler, precision: request.precision, reporter)
    let stage = try ContrastiveStage(folder, set, random)
    let configuration = ["config.json", "preprocessor_config.json", "vocab.json", "merges.txt"]
      .map { folder.url.appending(path: $0) }
      .filter { FileManager.default.fileExists(atPath: $0.path) }
    var run = try PretrainingRun(
      .judge, stage, request, folder.training,
      fixed: [("the configuration of --output", .array(try configuration.map { .string(try RunSettings.file($0)) }))],
      set, compiler)
    if try run.run() { try reporter.result(folder.url.relativePath) }
  }
}
