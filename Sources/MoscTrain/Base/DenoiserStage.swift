import MoscFormats
import MoscModel
import MoscRandom

/// Text encoder and U-Net on latents.
struct DenoiserStage: ComponentStage {
  let folder: ModelFolder
  private let model: DiffusersModel
  private let draws: NoisingDraws
  /// The layout of every picture, and what its loss weighs; nil where it is not learnt.
  private let layouts: Layouts?

  let components: [DiffusersModel.Component] = [.textEncoder, .unet]
  let measure = "errors"

  init(
    _ request: PretrainRequest, _ folder: ModelFolder, _ set: PictureSet, _ latents: EncodedPictures<Float16>,
    _ random: RunSeed
  ) throws {
    self.folder = folder
    model = try folder.model()
    draws = try NoisingDraws(request, model, set, latents, random)
    layouts =
      request.layoutWeight > 0
      ? try Layouts(
        set, try model.tokenizer(), captions: draws.tokens, try model.unet().config, request.layoutWeight)
      : nil
  }

  func module(_ group: BatchPlan.Group) throws -> TrainingModule {
    try model.trainingModule(DenoisingStep(draws.step(group), learnsLayout: layouts != nil))
  }

  func inputs(
    _ batch: BatchPlan.Batch, _ group: BatchPlan.Group, step: Int, isMeasured: Bool
  ) throws -> [String: HostArray] {
    var inputs = try draws.inputs(batch, group, step: step, isMeasured: isMeasured)
    if let layouts {
      // A caption that is left out says nothing of places.
      let known = batch.pictures.enumerated().map { place, picture in
        draws.leavesOutCaption(place, step: step, isMeasured: isMeasured) ? nil : picture
      }
      let size = draws.step(group)
      inputs.merge(
        layouts.inputs(known, height: size.height, width: size.width, tokens: draws.empty.count)
      ) { $1 }
    }
    return inputs
  }
}
