import MoscFormats
import MoscModel
import MoscRandom

/// Text encoder and U-Net on latents.
struct DenoiserStage: ComponentStage {
  let folder: ModelFolder
  private let model: DiffusersModel
  private let draws: NoisingDraws
  /// What is told of the places of phrases; nil where it is not learnt.
  private let layouts: LayoutInputs?
  /// The prompts of parts; nil where pictures have none.
  private let regions: RegionDraws?

  let components: [DiffusersModel.Component] = [.textEncoder, .unet]
  let measure = "errors"

  init(
    _ request: PretrainRequest, _ folder: ModelFolder, _ set: PictureSet, _ latents: EncodedPictures<Float16>,
    _ random: RunSeed
  ) throws {
    self.folder = folder
    model = try folder.model()
    draws = try NoisingDraws(request, model, set, latents, random)
    let (hasLayout, hasRegions) = (request.layoutWeight > 0, request.regionShare > 0)
    let (tokenizer, config) = (try model.tokenizer(), try model.unet().config)
    let pictures =
      hasLayout || hasRegions
      ? try PictureLayout.read(set, tokenizer, captions: draws.tokens, hasRegions: hasRegions) : []
    layouts =
      hasLayout
      ? LayoutInputs(pictures: pictures, weight: Float(request.layoutWeight), config: config) : nil
    regions =
      hasRegions
      ? RegionDraws(
        pictures, captions: draws.tokens, empty: draws.empty, share: request.regionShare, config, random
      ) { tokenizer.encode($0).ids } : nil
  }

  func module(_ group: BatchPlan.Group) throws -> TrainingModule {
    try model.trainingModule(
      DenoisingStep(
        draws.step(group), learnsLayout: layouts != nil, regions: regions == nil ? 0 : RegionDraws.count))
  }

  func inputs(
    _ batch: BatchPlan.Batch, _ group: BatchPlan.Group, step: Int, isMeasured: Bool
  ) throws -> [String: HostArray] {
    var inputs = try draws.inputs(batch, group, step: step, isMeasured: isMeasured)
    // A caption that is left out says nothing of places.
    var known = batch.pictures.enumerated().map { place, picture in
      draws.leavesOutCaption(place, step: step, isMeasured: isMeasured) ? nil : picture
    }
    let size = draws.step(group)
    if let regions {
      let parts = isMeasured ? nil : regions.parts(step)
      inputs.merge(regions.inputs(known, parts, step: step, height: size.height, width: size.width)) { $1 }
      // The caption is not what pixels of regions look at.
      if parts != nil { known = known.map { _ in nil } }
    }
    if let layouts {
      inputs.merge(
        layouts.inputs(known, height: size.height, width: size.width, tokens: draws.empty.count)
      ) { $1 }
    }
    return inputs
  }
}
