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

/// Text encoder and U-Net on latents.
struct DenoiserStage: ComponentStage {
  let folder: ModelFolder
  let model: DiffusersModel
  let latents: EncodedPictures<Float16>
  let random: RunSeed
  /// The tokens of every picture's caption.
  let tokens: [[Int32]]
  /// The tokens of no caption.
  let empty: [Int32]
  let schedule: NoiseSchedule
  let predictsVelocity: Bool
  let factor: Int
  let scalingFactor: Double
  let captionDropout: Double
  let lossWeight: NoiseRatioWeight
  let spread: TimestepSpread
  /// The layout of every picture, and what its loss weighs; nil where it is not learnt.
  let layouts: Layouts?

  let components: [DiffusersModel.Component] = [.textEncoder, .unet]
  let measure = "errors"

  init(
    _ request: PretrainRequest, _ folder: ModelFolder, _ set: PictureSet, _ latents: EncodedPictures<Float16>,
    _ random: RunSeed
  ) throws {
    self.folder = folder
    model = try folder.model()
    self.latents = latents
    self.random = random
    let tokenizer = try model.tokenizer()
    tokens = set.images.map { tokenizer.encode($0.caption).ids }
    empty = tokenizer.encode("").ids
    let config = try SchedulerConfig(of: model)
    schedule = NoiseSchedule(config)
    predictsVelocity = config.prediction == .velocity
    let vae = try model.vae().config
    factor = vae.downsampling
    scalingFactor = vae.scalingFactor
    captionDropout = request.captionDropout
    spread = TimestepSpread(noisyShare: request.noisyShare)
    lossWeight = NoiseRatioWeight(
      limit: request.noiseRatioLimit, floor: request.noiseRatioFloor)
    layouts =
      request.layoutWeight > 0
      ? try Layouts(set, tokenizer, captions: tokens, try model.unet().config, request.layoutWeight) : nil
  }

  func module(_ group: BatchPlan.Group) throws -> TrainingModule {
    try model.trainingModule(
      DenoisingStep(
        batch: group.batch, height: group.height / factor, width: group.width / factor,
        predictsVelocity: predictsVelocity, learnsLayout: layouts != nil))
  }

  func inputs(
    _ batch: BatchPlan.Batch, _ group: BatchPlan.Group, step: Int, isMeasured: Bool
  ) throws -> [String: HostArray] {
    let salt = isMeasured ? RunSeed.Stream.validation.rawValue : 0
    let (height, width) = (group.height / factor, group.width / factor)
    let count = batch.pictures.count
    let size = height * width * latents.channels
    let jitter = random.normals(.latent, step, count * size, salt: salt)
    var start: [Float] = []
    var ids: [Int32] = []
    var (signal, level): ([Float], [Float]) = ([], [])
    var (timesteps, weights): ([Float], [Float]) = ([], [])
    for (place, picture) in batch.pictures.enumerated() {
      start += latents.latents(
        picture, noise: jitter[place * size..<(place + 1) * size], factor: Float(scalingFactor))
      let isEmpty =
        !isMeasured && random.uniform(.dropout, step, place, salt: salt) < captionDropout
      ids += isEmpty ? empty : tokens[picture]
      let timestep = (isMeasured ? TimestepSpread() : spread).timestep(
        place: place, of: count, random: random.uniform(.timestep, step, place, salt: salt),
        steps: schedule.alphas.count)
      let (a, b) = schedule.coefficients(timestep)
      signal.append(a)
      level.append(b)
      timesteps.append(Float(timestep))
      let weight = lossWeight(
        Double(schedule.alphas[timestep]), predictsVelocity: predictsVelocity)
      weights.append(Float(weight / Double(count)))
    }
    let shape = [count, height, width, latents.channels]
    var inputs = [
      "latents": HostArray(start, shape: shape),
      "noise": HostArray(random.normals(.noise, step, count * size, salt: salt), shape: shape),
      "signal": HostArray(signal, shape: [count, 1, 1, 1]),
      "level": HostArray(level, shape: [count, 1, 1, 1]),
      "timestep": HostArray(timesteps, shape: [count]),
      "loss_weight": HostArray(weights, shape: [count]),
      "input_ids": HostArray(ids, shape: [count, empty.count]),
    ]
    if let layouts {
      // A caption that is left out says nothing of places.
      let known = batch.pictures.indices.map { place in
        ids[place * empty.count..<(place + 1) * empty.count].elementsEqual(empty)
          ? nil : batch.pictures[place]
      }
      inputs.merge(layouts.inputs(known, height: height, width: width, tokens: empty.count)) { $1 }
    }
    return inputs
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
