import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscRandom

/// What differs between the stages of pretraining: the function, and what its inputs are.
protocol TrainedStage {
  /// The result that is logged beside the loss, averaged over its elements.
  var measure: String { get }

  /// The training step for a group of pictures.
  func module(_ group: BatchPlan.Group) throws -> TrainingModule

  /// The inputs of a step.
  ///
  /// - Parameters:
  ///   - step: the number of the step, or of the batch that is measured.
  ///   - isMeasured: whether the batch is only measured: drawn from another stream, nothing left
  ///     out.
  func inputs(
    _ batch: BatchPlan.Batch, _ group: BatchPlan.Group, step: Int, isMeasured: Bool
  ) throws -> [String: HostArray]

  /// The weights that the run begins with, by name.
  func weights() throws -> [String: HostArray]

  /// Writes the model with others.
  func save(_ weights: [String: HostArray]) throws
}

/// A stage that trains parts of a model folder.
protocol ComponentStage: TrainedStage {
  /// The parts whose weights change.
  var components: [DiffusersModel.Component] { get }
  var folder: ModelFolder { get }
}

extension ComponentStage {
  func weights() throws -> [String: HostArray] {
    let model = try folder.model()
    var weights: [String: HostArray] = [:]
    for component in components {
      weights.merge(try model.canonicalWeights(component)) { own, _ in own }
    }
    return weights
  }

  func save(_ weights: [String: HostArray]) throws {
    let model = try folder.model()
    for component in components {
      let old = try model.canonicalWeights(component)
      try folder.write(
        component,
        Dictionary(uniqueKeysWithValues: old.map { ($0.key, weights[$0.key] ?? $0.value) }))
    }
  }
}

/// The autoencoder, or its decoder.
struct AutoencoderStage: ComponentStage {
  let folder: ModelFolder
  let model: DiffusersModel
  let set: PictureSet
  /// What the decoder is trained on; nil to train the encoder too.
  let latents: EncodedPictures<Float16>?
  let random: RunSeed
  let factor: Int
  let channels: Int

  let components: [DiffusersModel.Component] = [.vae]
  let measure = "square"

  init(
    _ folder: ModelFolder, _ set: PictureSet, _ latents: EncodedPictures<Float16>?, _ random: RunSeed
  ) throws {
    self.folder = folder
    model = try folder.model()
    self.set = set
    self.latents = latents
    self.random = random
    let config = try model.vae().config
    factor = config.downsampling
    channels = config.latentChannels
  }

  func module(_ group: BatchPlan.Group) throws -> TrainingModule {
    try model.trainingModule(
      AutoencoderStep(
        batch: group.batch, height: group.height, width: group.width,
        trainsEncoder: latents == nil))
  }

  func inputs(
    _ batch: BatchPlan.Batch, _ group: BatchPlan.Group, step: Int, isMeasured: Bool
  ) throws -> [String: HostArray] {
    let salt = isMeasured ? RunSeed.Stream.validation.rawValue : 0
    let count = batch.pictures.count
    let shape = [count, group.height / factor, group.width / factor, channels]
    let size = shape.dropFirst().reduce(1, *)
    let noise = random.normals(.latent, step, count * size, salt: salt)
    let image = try set.images(batch.pictures)
    guard let latents else { return ["image": image, "noise": HostArray(noise, shape: shape)] }
    let codes = batch.pictures.enumerated().flatMap { place, picture in
      latents.latents(picture, noise: noise[place * size..<(place + 1) * size], factor: 1)
    }
    return ["image": image, "latents": HostArray(codes, shape: shape)]
  }
}
