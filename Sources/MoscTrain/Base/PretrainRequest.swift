import MoscEngine
import MoscFormats
import MoscModel
import MoscReport
import MoscSample

/// The parts of a model that one run of `mosc pretrain` trains.
package enum PretrainingStage: String, CaseIterable, Hashable, Sendable {
  /// The autoencoder, its encoder and decoder together.
  case vae
  /// The autoencoder's decoder; the latents stay as they are.
  case decoder
  /// Text encoder and U-Net together, on the latents of a finished autoencoder.
  case unet
  /// A ControlNet of a finished model, which is a folder of its own.
  case control
  /// Both towers of a CLIP model, which is a model of its own.
  case judge
}

/// The stages that a run can be asked for.
package enum PretrainingScope: String, CaseIterable, Hashable, Sendable {
  /// A whole model.
  case all
  case vae, decoder, unet
  /// A ControlNet.
  case control
  /// A CLIP model.
  case judge

  /// The stages in their order.
  package var stages: [PretrainingStage] {
    switch self {
    case .all: [.vae, .unet]
    case .vae: [.vae]
    case .decoder: [.decoder]
    case .unet: [.unet]
    case .control: [.control]
    case .judge: [.judge]
    }
  }
}

/// The element type of the weights files that are made.
package enum SavedType: String, CaseIterable, Hashable, Sendable {
  case f16, f32
}

/// How one stage is trained.
package struct PretrainingRecipe: Hashable, Sendable {
  package var steps: Int
  /// Pictures per step, of the smallest size in the data.
  package var batch: Int
  package var learningRate: Double
  /// Steps over which the learning rate rises.
  package var warmUp: Int
  package var weightDecay = 0.01
  /// The share that the running mean of the weights keeps of itself in a step.
  package var averageDecay = 0.998
  /// The largest norm of all gradients together; larger ones are shortened.
  package var gradientNorm = 1.0

  package init(steps: Int, batch: Int, learningRate: Double, warmUp: Int = 100) {
    self.steps = steps
    self.batch = batch
    self.learningRate = learningRate
    self.warmUp = warmUp
  }
}

/// What `mosc pretrain` is asked for.
package struct PretrainRequest: Hashable, Sendable {
  /// A folder of pictures with captions.
  package var data: String
  /// The model folder to make.
  package var output: String
  /// A model whose weights are the start; nil to start from random ones.
  package var start: String?
  /// A model with the configuration and the parts that are not trained; nil for `start`, or the
  /// embedded model (for the judge, the one that ships).
  package var configuration: String?
  package var precision: Precision?
  package var compiler = CompilationOptions()
  package var stages: [PretrainingStage] = [.vae, .unet]
  package var autoencoder = PretrainingRecipe(steps: 2000, batch: 8, learningRate: 1e-3)
  package var denoiser = PretrainingRecipe(steps: 6000, batch: 20, learningRate: 1e-3)
  /// The share of captions that are left out, for guidance.
  package var captionDropout = 0.1
  /// The share of pictures that get timesteps of the noisiest 15 % of the schedule.
  package var noisyShare = 0.15
  /// γ of the loss weights.
  package var noiseRatioLimit = 5.0
  /// φ of the loss weights.
  package var noiseRatioFloor = 0.0
  /// What the places of phrases weigh in the loss; 0 to learn them from the pictures alone.
  package var layoutWeight = 0.0
  /// The share of steps whose pictures have regions with prompts of their own.
  package var regionShare = 0.0
  /// A folder of pictures of the same names that a ControlNet is shown; nil for the pictures themselves.
  package var controlData: String?
  /// What is made of them first; nil for nothing, or edges of the pictures themselves.
  package var controlPreprocessor: ControlPreprocessor?
  /// Pictures that are left out of training to measure the loss on.
  package var validation = 0
  package var seed: UInt64 = 0
  /// The element type of weights files.
  package var savedType = SavedType.f16
  /// Steps between two checkpoints.
  package var saveEvery = 500
  /// The most seconds between two saved states.
  package var saveSeconds = LoopPlan.usualSaveSeconds
  /// Steps between two lines of the log.
  package var logEvery = 50
  /// Steps after which the command saves and ends, before the run does; nil for none.
  package var stopAfter: Int?
  /// Whether an unfinished run in the output folder is continued.
  package var resumes = false

  package init(data: String, output: String) {
    self.data = data
    self.output = output
  }

  /// Refuses numbers that mean nothing.
  package func check() throws {
    for (prefix, recipe) in [("", denoiser), ("vae-", autoencoder)] {
      try CommandError.check("\(prefix)lr", recipe.learningRate, atLeast: 0)
      try CommandError.check("weight-decay", recipe.weightDecay, atLeast: 0)
      guard (0..<1).contains(recipe.averageDecay) else {
        throw CommandError.usage(
          "--ema \(recipe.averageDecay): expected a number from 0 to below 1")
      }
      guard recipe.gradientNorm > 0 else {
        throw CommandError.usage("--clip \(recipe.gradientNorm): expected a number above 0")
      }
    }
    for (option, share) in [
      ("caption-dropout", captionDropout), ("noisy-share", noisyShare), ("region-share", regionShare),
    ]
    where !(0...1).contains(share) {
      throw CommandError.usage("--\(option) \(share): expected a share from 0 to 1")
    }
    guard noiseRatioLimit > 0 else {
      throw CommandError.usage("--min-snr \(noiseRatioLimit): expected a number above 0")
    }
    try CommandError.check("snr-floor", noiseRatioFloor, atLeast: 0)
    try CommandError.check("layout-weight", layoutWeight, atLeast: 0)
    if !stages.contains(.unet) {
      for (option, value) in [("layout-weight", layoutWeight), ("region-share", regionShare)] where value > 0 {
        throw CommandError.usage("--\(option): only --stage unet and --stage all have use for it")
      }
    }
    if stages != [.control], controlData != nil || controlPreprocessor != nil {
      throw CommandError.usage(
        "--control-\(controlData == nil ? "preprocess" : "data"): only --stage control has use for it")
    }
    if let stopAfter { try CommandError.check("stop-after", stopAfter, in: 1...Int.max) }
    try LoopPlan.check(saveSeconds: saveSeconds)
  }

  /// The recipe of a stage.
  package func recipe(_ stage: PretrainingStage) -> PretrainingRecipe {
    switch stage {
    case .unet, .control, .judge: denoiser
    case .vae, .decoder: autoencoder
    }
  }

  /// What of a model a stage reads and does not change.
  func fixed(_ stage: PretrainingStage, of model: DiffusersModel) throws -> [RunSettings.Fact] {
    let names = stage == .unet ? ["the autoencoder", "the tokenizer", "the scheduler"] : []
    return try RunSettings.model(model, "--output").filter { fact in
      names.contains { fact.name.hasPrefix($0) }
    }
  }

  /// What a resumed run must share with the one it continues, by name.
  ///
  /// The number of steps is not among them: a run can be made longer or shorter, which changes the
  /// learning rates from there on.
  func settings(
    _ stage: PretrainingStage, fixed: [RunSettings.Fact], _ set: PictureSet, _ compiler: Compiler
  ) throws -> RunSettings {
    let recipe = recipe(stage)
    return RunSettings(
      RunSettings.arithmetic(compiler) + fixed + [
        ("--stage", .string(stage.rawValue)), ("--batch", .int(recipe.batch)),
        ("--lr", .double(recipe.learningRate)), ("--warmup", .int(recipe.warmUp)),
        ("--weight-decay", .double(recipe.weightDecay)), ("--ema", .double(recipe.averageDecay)),
        ("--clip", .double(recipe.gradientNorm)),
        ("--caption-dropout", .double(captionDropout)), ("--min-snr", .double(noiseRatioLimit)),
        ("--noisy-share", .double(noisyShare)), ("--snr-floor", .double(noiseRatioFloor)),
        ("--layout-weight", .double(layoutWeight)), ("--region-share", .double(regionShare)),
        ("--validation", .int(validation)), ("--seed", .string(String(seed))),
        ("--data", try RunSettings.data(set.images)),
      ])
  }
}
