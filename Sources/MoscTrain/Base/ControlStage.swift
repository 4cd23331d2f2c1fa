import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscRandom
import MoscReport
import MoscSample

/// A ControlNet on latents, beside a model that stays as it is.
struct ControlStage: TrainedStage {
  private let folder: ControlFolder
  private let draws: NoisingDraws
  private let conditions: ConditionPictures

  let measure = "errors"

  init(_ folder: ControlFolder, _ draws: NoisingDraws, _ conditions: ConditionPictures) {
    (self.folder, self.draws, self.conditions) = (folder, draws, conditions)
  }

  func module(_ group: BatchPlan.Group) throws -> TrainingModule {
    try folder.base.trainingModule(ControlStep(draws.step(group)), try folder.model())
  }

  func inputs(
    _ batch: BatchPlan.Batch, _ group: BatchPlan.Group, step: Int, isMeasured: Bool
  ) throws -> [String: HostArray] {
    var inputs = try draws.inputs(batch, group, step: step, isMeasured: isMeasured)
    inputs["image"] = HostArray(
      try batch.pictures.flatMap { try conditions.values($0) },
      shape: [batch.pictures.count, group.height, group.width, 3])
    return inputs
  }

  func weights() throws -> [String: HostArray] { try folder.model().part.arrays }

  func save(_ weights: [String: HostArray]) throws { try folder.write(weights) }
}

/// What a ControlNet is shown of every picture: something made of it, or a picture of the same name.
struct ConditionPictures {
  private let set: PictureSet
  private let preprocessor: ControlPreprocessor
  /// The pictures of another folder; nil to make them of the set's own.
  private let files: [URL]?

  /// - Parameter folder: has a picture of the same name and size for every one of the set.
  /// - Throws: `DatasetError` with all that are missing or of another size.
  init(_ set: PictureSet, _ preprocessor: ControlPreprocessor, in folder: URL?) throws {
    (self.set, self.preprocessor) = (set, preprocessor)
    guard let folder else {
      files = nil
      return
    }
    let names = Dictionary(
      try namesInFolder(folder).map { (($0 as NSString).deletingPathExtension, $0) },
      uniquingKeysWith: { first, _ in first })
    var problems: [FormatError] = []
    var files: [URL] = []
    for (image, size) in zip(set.images, set.sizes) {
      let stem = image.image.deletingPathExtension().lastPathComponent
      guard let name = names[stem] else {
        problems.append(FormatError(folder.path, nil, "has no picture '\(stem)' for \(image.image.path)"))
        continue
      }
      let url = folder.appending(path: name)
      files.append(url)
      do throws(FormatError) {
        let found = try ImageFile.read(url)
        if (found.height, found.width) != size {
          problems.append(
            FormatError(
              url.path, nil,
              "is \(found.width)×\(found.height), its picture is \(size.width)×\(size.height)"))
        }
      } catch {
        problems.append(error)
      }
    }
    guard problems.isEmpty else { throw DatasetError(problems) }
    self.files = files
  }

  /// What a run depends on.
  var settings: [RunSettings.Fact] {
    get throws {
      [("--control-preprocess", .string(preprocessor.text))]
        + (try files.map { files in
          let hashes = try files.map { try FileHash.sha256(of: $0) }.joined(separator: "\n")
          return [("--control-data", .string(String(FileHash.sha256(Data(hashes.utf8)).prefix(16))))]
        } ?? [])
    }
  }

  /// The numbers of one picture in 0…1, `r g b r g b …`.
  func values(_ index: Int) throws -> [Float] {
    let picture = try ImageFile.read(files?[index] ?? set.images[index].image).rgb
    return try preprocessor(picture).rgb.pixels.map { Float($0) / 255 }
  }
}

extension PretrainJob {
  /// Trains a ControlNet of a model, which is a folder of its own kind.
  func trainControl() throws {
    let base = try ModelComponents.open(request.start ?? request.configuration)
    let folder = ControlFolder(
      url: URL(fileURLWithPath: request.output), savedType: request.savedType, base: base)
    let random = RunSeed(request.seed)
    let isKnown = try isKnown(folder.url)
    let set = try pictures(factor: try base.vae().config.downsampling)
    let conditions = try ConditionPictures(
      set, request.controlPreprocessor ?? (request.controlData == nil ? .canny : .none),
      in: request.controlData.map { URL(fileURLWithPath: $0) })
    let parameters = try ControlNet(for: try base.unet().config, reduction: try base.vae().config.downsampling)
      .requests().parameters
    // The network and, while it is replaced, the state twice, each with parameters, means and averages.
    try DiskSpace.check(
      folder.url.standardizedFileURL.deletingLastPathComponent(),
      needs: (4 + 2 * 16) * parameters, for: "the ControlNet and its training state")
    if !isKnown { try folder.create(random) }
    let compiler = try Compiler(training: request.compiler, precision: request.precision, reporter)
    let latents = try EncodedPictures(
      set, ModelComponents(base, compiler), keptIn: folder.training.appending(path: "latents.safetensors"))
    let stage = ControlStage(
      folder, try NoisingDraws(request, base, set, latents, random), conditions)
    let configuration = try RunSettings.file(folder.url.appending(path: ControlFolder.configurationName))
    var run = try PretrainingRun(
      .control, stage, request, folder.training,
      fixed: try RunSettings.model(base)
        + [("the configuration of --output", .string(configuration))] + conditions.settings,
      set, compiler)
    if try run.run() { try reporter.result(folder.url.relativePath) }
  }
}
