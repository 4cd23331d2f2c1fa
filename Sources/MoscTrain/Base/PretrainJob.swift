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
    let folder = ModelFolder(
      url: URL(fileURLWithPath: request.output), savedType: request.savedType)
    let random = RunSeed(request.seed)
    let source = try ModelComponents.open(request.start ?? request.configuration)
    let isKnown = FileManager.default.fileExists(atPath: folder.url.path)
    if isKnown && !request.resumes {
      throw CommandError.usage(
        "'\(request.output)' exists; continue its run with --resume, or name another folder")
    }
    let set = try PictureSet(
      URL(fileURLWithPath: request.data), factor: try source.vae().config.downsampling)
    reporter.info(
      "\(set.images.count) pictures, sizes "
        + Set(set.sizes.map { "\($0.width)×\($0.height)" }).sorted().joined(separator: ", "))
    if !isKnown {
      try folder.create(from: source, drawing: drawn, random)
    }
    let compiler = try Compiler(training: request.compiler, precision: request.precision, reporter)
    for stage in request.stages {
      let model = try folder.model()
      func latents() throws -> EncodedPictures<Float16> {
        try EncodedPictures(
          set, ModelComponents(try folder.model(), compiler),
          keptIn: folder.training.appending(path: "latents.safetensors"))
      }
      let trained: any TrainedStage
      switch stage {
      case .vae: trained = try AutoencoderStage(model, set, nil, random)
      case .decoder: trained = try AutoencoderStage(model, set, try latents(), random)
      case .unet: trained = try DenoiserStage(request, model, set, try latents(), random)
      }
      var run = try PretrainingRun(stage, trained, request, folder, set, compiler)
      guard try run.run() else { return }
      if stage == .vae {
        try folder.setScalingFactor(try latents().scalingFactor(Array(set.images.indices)))
      }
    }
    try reporter.result(folder.url.relativePath)
  }

  /// The parts that start from random weights.
  private var drawn: Set<DiffusersModel.Component> {
    guard request.start == nil else { return [] }
    return Set(
      request.stages.flatMap { stage -> [DiffusersModel.Component] in
        switch stage {
        case .vae: [.vae]
        case .decoder: []
        case .unet: [.textEncoder, .unet]
        }
      })
  }
}
