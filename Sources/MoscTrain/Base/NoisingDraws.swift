import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscRandom

/// What steps on noisy latents draw: latents, noise, timesteps and captions of a batch.
struct NoisingDraws {
  private let latents: EncodedPictures<Float16>
  private let random: RunSeed
  /// The tokens of every picture's caption.
  let tokens: [[Int32]]
  /// The tokens of no caption.
  let empty: [Int32]
  private let schedule: NoiseSchedule
  private let predictsVelocity: Bool
  private let factor: Int
  private let scalingFactor: Double
  private let captionDropout: Double
  private let lossWeight: NoiseRatioWeight
  private let spread: TimestepSpread

  init(
    _ request: PretrainRequest, _ model: DiffusersModel, _ set: PictureSet, _ latents: EncodedPictures<Float16>,
    _ random: RunSeed
  ) throws {
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
  }

  /// The step of a group of pictures.
  func step(_ group: BatchPlan.Group) -> NoisingStep {
    NoisingStep(
      batch: group.batch, height: group.height / factor, width: group.width / factor,
      predictsVelocity: predictsVelocity)
  }

  /// Whether a step leaves out the caption of a picture of its batch.
  func leavesOutCaption(_ place: Int, step: Int, isMeasured: Bool) -> Bool {
    !isMeasured && random.uniform(.dropout, step, place) < captionDropout
  }

  /// The inputs of a step but for what the network is told beside.
  ///
  /// - Parameters: as in `TrainedStage`.
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
      ids += leavesOutCaption(place, step: step, isMeasured: isMeasured) ? empty : tokens[picture]
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
    return [
      "latents": HostArray(start, shape: shape),
      "noise": HostArray(random.normals(.noise, step, count * size, salt: salt), shape: shape),
      "signal": HostArray(signal, shape: [count, 1, 1, 1]),
      "level": HostArray(level, shape: [count, 1, 1, 1]),
      "timestep": HostArray(timesteps, shape: [count]),
      "loss_weight": HostArray(weights, shape: [count]),
      "input_ids": HostArray(ids, shape: [count, empty.count]),
    ]
  }
}
