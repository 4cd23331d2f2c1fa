import MoscEngine
import MoscFormats
import MoscNetworks
import MoscReport

/// What `mosc train` is asked for; nil leaves a setting to the configuration, or to the model's default.
package struct TrainRequest: Hashable, Sendable {
  package var model = ModelOptions()
  package var compiler = CompilationOptions()
  /// A Mix-of-Show or kohya configuration.
  package var config: String?
  /// A folder of pictures, in place of a configuration.
  package var data: String?
  package var captions: String?
  package var masks: String?
  /// The words to teach, such as `<a1> <a2>`.
  package var concept: String?
  /// What they start from, such as `cat`.
  package var start: String?
  package var output: String
  package var layout: ConceptFile.Layout?
  package var resolution: Int?
  package var steps: Int?
  /// Passes over all pictures, in place of steps.
  package var epochs: Int?
  package var batchSize: Int?
  package var accumulation: Int?
  package var rank: Int?
  /// Which layers are taught.
  package var layers: AdaptedLayers?
  package var alpha: Double?
  /// The multiplier of the layers before it is divided by the rank, as kohya counts it.
  package var networkAlpha: Double?
  /// The rate of both networks, unless they have their own.
  package var learningRate: Double?
  package var embeddingRate: Double?
  package var textEncoderRate: Double?
  package var unetRate: Double?
  /// How the learning rates fall.
  package var rateShape = LearningRateSchedule.Shape.linear
  package var warmUp = 0
  package var noiseOffset: Double?
  /// The weight of the attention regulariser; 0 for none.
  package var attentionWeight: Double?
  /// Whether the loss counts only where the masks are white.
  package var usesMaskLoss: Bool?
  /// Whether every cross-attention layer has an embedding of its own.
  package var isLayerwise: Bool?
  package var seed: UInt64?
  package var embeddingNormThreshold: Double?
  /// The decay of a running mean of the parameters, which is what the file then holds.
  package var averageDecay: Double?
  /// How many variants of a picture are encoded, where its transforms draw.
  package var variants = 8
  /// Steps between saved states; nil to save by the clock alone.
  package var saveInterval: Int?
  /// The most seconds between saved states.
  package var saveSeconds = LoopPlan.usualSaveSeconds
  /// Steps between concept files with a number; nil for none.
  package var keepInterval: Int?
  package var resumes = false
  /// Whether the state of an earlier run may be thrown away.
  package var overwrites = false
  /// Steps between preview pictures; nil for none.
  package var previewInterval: Int?
  package var previewPrompts: [String] = []
  package var recordDraws: String?
  package var replayDraws: String?
  /// The most memory that the run may plan for.
  package var memoryLimit: ByteSize?
  /// Whether the time of each kernel is shown at the end.
  package var profiles = false

  package init(output: String) { self.output = output }
}
