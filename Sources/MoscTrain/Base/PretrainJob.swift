import Foundation
import MoscEngine
import MoscModel
import MoscNetworks
import MoscRandom
import MoscReport

/// `mosc pretrain`: trains a complete model on captioned pictures.
package struct PretrainJob {
  package let request: PretrainRequest
  package let reporter: Reporter

  package init(_ request: PretrainRequest, _ reporter: Reporter) {
    self.request = request
    self.reporter = reporter
  }

  /// - Throws: `DatasetError` with all problems of the data; what is wrong with a model.
  package func run() throws {
    try request.check()
    let output = URL(fileURLWithPath: request.output).standardizedFileURL
    try OutputLock.holding(output, reporter) {
      switch request.stages {
      case [.judge]: try trainJudge()
      case [.control]: try trainControl()
      default: try perform()
      }
    }
  }

  private func perform() throws {
    let folder = ModelFolder(
      url: URL(fileURLWithPath: request.output), savedType: request.savedType)
    let random = RunSeed(request.seed)
    let source = try ModelComponents.open(request.start ?? request.configuration)
    let isKnown = try isKnown(folder.url)
    let set = try pictures(factor: try source.vae().config.downsampling)
    try checkDisk(source, beside: folder.url)
    if !isKnown {
      try folder.create(from: source, drawing: drawn, random)
    }
    let compiler = try Compiler(training: request.compiler, precision: request.precision, reporter)
    for stage in request.stages {
      func latents() throws -> EncodedPictures<Float16> {
        try EncodedPictures(
          set, ModelComponents(try folder.model(), compiler),
          keptIn: folder.training.appending(path: "latents.safetensors"))
      }
      let trained: any TrainedStage
      switch stage {
      case .vae: trained = try AutoencoderStage(folder, set, nil, random)
      case .decoder: trained = try AutoencoderStage(folder, set, try latents(), random)
      case .unet: trained = try DenoiserStage(request, folder, set, try latents(), random)
      case .control, .judge: throw CommandError.usage("a ControlNet or judge is a folder of its own, trained alone")
      }
      var run = try PretrainingRun(
        stage, trained, request, folder.training,
        fixed: try request.fixed(stage, of: try folder.model()), set, compiler)
      guard try run.run() else { return }
      if stage == .vae {
        try folder.setScalingFactor(try latents().scalingFactor(Array(set.images.indices)))
      }
    }
    try reporter.result(folder.url.relativePath)
  }

  /// Whether the folder has a run to go on with.
  ///
  /// - Throws: a usage error for a folder that is in the way.
  func isKnown(_ folder: URL) throws -> Bool {
    let isKnown = FileManager.default.fileExists(atPath: folder.path)
    if isKnown && !request.resumes {
      throw CommandError.usage(
        "'\(request.output)' exists; continue its run with --resume, or name another folder")
    }
    return isKnown
  }

  /// The pictures of the run.
  func pictures(factor: Int) throws -> PictureSet {
    let set = try PictureSet(URL(fileURLWithPath: request.data), factor: factor)
    reporter.info(
      "\(set.images.count) pictures, sizes "
        + Set(set.sizes.map { "\($0.width)×\($0.height)" }).sorted().joined(separator: ", "))
    return set
  }

  /// Refuses a disk that the run would fill: the model, the largest stage's state twice while it is
  /// replaced, and as much for the latents as for a state.
  private func checkDisk(_ model: DiffusersModel, beside folder: URL) throws {
    var sizes: [DiffusersModel.Component: Int] = [:]
    for component in DiffusersModel.Component.allCases {
      let shapes = try WeightInitialisation(model, component).shapes
      sizes[component] = shapes.values.reduce(0) { $0 + $1.reduce(1, *) }
    }
    let parts = request.stages.map { stage in
      stage == .unet ? [DiffusersModel.Component.textEncoder, .unet] : [.vae]
    }
    let largest = parts.map { $0.reduce(0) { $0 + (sizes[$1] ?? 0) } }.max() ?? 0
    try DiskSpace.check(
      folder.standardizedFileURL.deletingLastPathComponent(),
      needs: 4 * sizes.values.reduce(0, +) + 2 * 16 * largest, for: "the model and its training state")
  }

  /// The parts that start from random weights.
  private var drawn: Set<DiffusersModel.Component> {
    guard request.start == nil else { return [] }
    return Set(
      request.stages.flatMap { stage -> [DiffusersModel.Component] in
        switch stage {
        case .vae: [.vae]
        case .decoder, .control, .judge: []
        case .unet: [.textEncoder, .unet]
        }
      })
  }
}
