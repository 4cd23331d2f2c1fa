import Foundation
import MoscFormats

/// What a configuration says about a training run, with the pictures it names.
///
/// Defaults are those of the reference's code where it has some, else of its configurations.
package struct TrainingSetup: Hashable, Sendable {
  package var name = "concept"
  package var seed: UInt64 = 0
  package var dataset = Dataset(images: [], transforms: [])
  package var model = ModelSettings()
  package var optimiser = OptimiserSettings()
  package var validation = ValidationSettings()
  /// Steps between log lines.
  package var printInterval = 10
  /// Steps between concept files that are kept; nil for none.
  package var saveInterval: Int?
  package var gradientAccumulation = 1
  /// Settings that are accepted without effect, each with the reason.
  package var notes: [String] = []
  /// What the pictures show, where folders or configurations say it.
  package var classes: Set<String> = []

  /// What may not be as it was meant.
  package var warnings: [String] = []

  package init() {}

  /// Adds a warning, if there is one.
  mutating func warn(_ text: String?) {
    if let text { warnings.append(text) }
  }

  /// Reads what a path holds: a kohya dataset (`.toml`), options of Mix-of-Show (`.yml`, `.yaml`,
  /// `.json`), or a folder of folders named `10_class`.
  ///
  /// - Parameter resolution: the side of pictures of a kohya dataset that does not say it.
  /// - Throws: `DatasetError` with all problems.
  package static func read(
    _ url: URL, resolution: Int = 512, maskReduction: MaskReduction = .bilinear
  ) throws(DatasetError) -> TrainingSetup {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
    if exists, isFolder.boolValue {
      return try KohyaConfig.folders(url, resolution: resolution)
    }
    switch url.pathExtension.lowercased() {
    case "toml":
      return try KohyaConfig.read(url, resolution: resolution, maskReduction: maskReduction)
    case "yml", "yaml", "json":
      return try MixOfShowConfig.read(url, maskReduction: maskReduction)
    default:
      throw DatasetError([
        FormatError(url.path, nil, "expected a .yml, .yaml, .json or .toml file, or a folder")
      ])
    }
  }

  /// `images · enlarge ratio / (batch · accumulation)`: the reference trains while fewer steps are
  /// done, so the number of steps is this, rounded up.
  package var steps: Double {
    Double(dataset.count) / Double(max(1, dataset.batchSize * gradientAccumulation))
  }

  /// Everything that would stop the run, found by reading every file.
  package func problems() -> [FormatError] { review().problems }

  /// The same, and what may not be as it was meant.
  func review() -> (problems: [FormatError], warnings: [String]) {
    dataset.review(words: model.words.map(\.text))
  }
}

/// What is trained, and against what.
package struct ModelSettings: Hashable, Sendable {
  /// The model folder, as the configuration names it.
  package var path: String?
  /// Whether every cross-attention layer has an embedding of its own (ED-LoRA).
  package var isLayerwise = true
  package var words: [TrainedWord] = []
  /// nil when the embeddings are not trained.
  package var embedding: TuningSettings? = TuningSettings(learningRate: 1e-3)
  package var textEncoder: LoRASettings? = LoRASettings(learningRate: 1e-5, layers: .attention)
  package var unet: LoRASettings? = LoRASettings(learningRate: 1e-4, layers: .attention)
  /// The share of noise that is constant over a channel; nil for none.
  package var noiseOffset: Double?
  /// The weight of the attention regulariser; nil for none.
  package var attentionWeight: Double?
  /// Whether the subject's attention follows the mask, rather than only keep out of the rest.
  package var regularisesFullIdentity = true
  /// Whether the loss counts only where the concept is.
  package var usesMaskLoss = true
  package var checkpointsGradients = false

  package init() {}
}

/// A group of parameters with its learning rate.
package struct TuningSettings: Hashable, Sendable {
  package var learningRate: Double
  /// The decay of this group; nil for that of the optimiser.
  package var weightDecay: Double?

  package init(learningRate: Double, weightDecay: Double? = nil) {
    self.learningRate = learningRate
    self.weightDecay = weightDecay
  }
}

/// The low-rank layers of a network.
package struct LoRASettings: Hashable, Sendable {
  package var learningRate: Double
  package var rank = 4
  /// The factor of the branch, not divided by the rank.
  package var alpha = 1.0
  /// Which layers get one.
  package var layers: AdaptedLayers

  package init(learningRate: Double, rank: Int = 4, alpha: Double = 1, layers: AdaptedLayers) {
    self.learningRate = learningRate
    self.rank = rank
    self.alpha = alpha
    self.layers = layers
  }
}

/// AdamW and what accompanies it.
package struct OptimiserSettings: Hashable, Sendable {
  package var weightDecay = 0.01
  /// The decay of the mean of gradients.
  package var beta1 = 0.9
  /// The decay of the mean of squared gradients.
  package var beta2 = 0.999
  /// The mean norm of the concept's embeddings at which they stop being trained.
  package var embeddingNormThreshold = 0.55

  package init() {}
}

/// The pictures drawn during training.
package struct ValidationSettings: Hashable, Sendable {
  package var isEnabled = true
  package var prompts: [String] = []
  package var samplesPerPrompt = 8
  /// Channels, height and width of the latents.
  package var latentSize = [4, 64, 64]
  package var batchSize = 4
  package var sharesLatents = true
  /// The strengths at which the concept is shown.
  package var alphas = [0, 0.7, 1.0]
  package var steps = 50
  package var guidance = 7.5

  package init() {}
}
