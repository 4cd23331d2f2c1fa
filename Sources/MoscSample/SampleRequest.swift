import MoscDiffusion
import MoscEngine
import MoscModel
import MoscNetworks
import MoscPrompts
import MoscRandom
import MoscReport

/// What `mosc sample` is asked for.
package struct SampleRequest: Hashable, Codable, Sendable {
  package var model = ModelOptions()
  package var compiler = CompilationOptions()
  /// What to draw; pictures of one prompt come after those of the one before.
  package var prompts = [""]
  package var negativePrompt = ""
  /// A file with one prompt per line in place of `prompts`; `-` for standard input.
  package var promptFile: String?
  /// The prompts of that file, once it is read.
  package var promptLines: [String]?
  /// How prompts are read.
  package var promptSettings = PromptSettings()
  package var steps = 20
  /// nil for what suits the model.
  package var guidance: Double?
  /// One seed per picture; a short list is continued by counting up.
  package var seeds: [UInt64] = [0]
  /// The picture size; nil for the size the model was trained at.
  package var width: Int?
  package var height: Int?
  package var sampler = SamplerName.Choice(.dpmpp2M)
  /// How noise levels are placed; nil for the sampler's own.
  package var levels: SchedulerConfig.Levels?
  /// Falling noise levels, one per step, in place of any spacing; a last zero may be given or not.
  package var sigmas: [Double]?
  /// How much noise DDIM and TCD put back; nil for what is usual.
  package var eta: Double?
  /// How timesteps are placed; nil for the model's own.
  package var timestepSpacing: SchedulerConfig.Spacing?
  /// What the model predicts; nil for what it says of itself.
  package var prediction: SchedulerConfig.Prediction?
  /// Whether the last noise level has no signal, although the model does not say so.
  package var hasZeroTerminalSNR = false
  package var batchCount = 1
  package var batchSize = 1
  /// The text-encoder layer to stop at, counted from the end as A1111 does; 1 is the last.
  package var clipSkip = 1
  /// A file, a folder for numbered pictures, or a pattern.
  package var output = OutputPattern.workingFolder
  package var randomSource = RandomSourceKind.cpu
  package var writesMetadata = true
  package var regions = RegionOptions()
  /// A picture to begin with.
  package var picture = PictureOptions()
  /// Noise between two seeds.
  package var variation = VariationOptions()
  package var fewSteps = FewStepOptions()
  package var preview = PreviewOptions()
  /// Condition images, each with its T2I-Adapter.
  package var conditions: [SpatialCondition] = []
  /// Pictures that are followed through ControlNets.
  package var control = ControlOptions()
  /// A second pass in a larger size.
  package var hires = HiresOptions()
  /// When the autoencoder works on tiles.
  package var tiling = TilingOptions()
  /// The directions in which pictures go on at their opposite edge; nil for none.
  package var seamless: Seamless?
  /// Whether sampling ends and boxes round as in the Mix-of-Show code.
  package var matchesMixOfShow = false
  /// A safetensors file whose `latents_init` replaces the random initial latents.
  package var latentsIn: String?
  /// A safetensors file that receives `latents_init`, `latents` and `timesteps`.
  package var trajectory: String?
  /// Whether the time of each kernel is shown.
  package var profiles = false

  package init() {}

  /// The first prompt, in place of all.
  package var prompt: String {
    get { prompts.first ?? "" }
    set { prompts = [newValue] }
  }

  /// What characters in prompts mean; Mix-of-Show reads none of them.
  package var syntax: PromptSettings.Syntax {
    promptSettings.syntax ?? (matchesMixOfShow ? .plain : .a1111)
  }
}
