import MoscDiffusion
import MoscEngine
import MoscNetworks

/// What `mosc sample` is asked for.
package struct SampleRequest: Hashable, Sendable {
  package var model = ModelOptions()
  package var compiler = CompilationOptions()
  package var prompt = ""
  package var negativePrompt = ""
  /// A file with one prompt per line in place of `prompt`; `-` for standard input.
  package var promptFile: String?
  package var steps = 20
  package var guidance = 7.0
  /// One seed per picture; a short list is continued by counting up.
  package var seeds: [UInt64] = [0]
  /// The picture size; nil for the size the model was trained at.
  package var width: Int?
  package var height: Int?
  package var sampler = "dpm++2m"
  /// The spacing of noise levels: `karras`, or nil for the sampler's own.
  package var schedule: String?
  /// How timesteps are placed: `linspace`, `leading`, `trailing`; nil for the model's own.
  package var timestepSpacing: String?
  package var batchCount = 1
  package var batchSize = 1
  /// The text-encoder layer to stop at, counted from the end as A1111 does; 1 is the last.
  package var clipSkip = 1
  package var output = "output.png"
  package var randomSource = "cpu"
  package var writesMetadata = true
  package var regions = RegionOptions()
  /// Condition images, each with its T2I-Adapter.
  package var conditions: [SpatialCondition] = []
  /// Whether sampling ends and boxes round as in the Mix-of-Show code.
  package var matchesMixOfShow = false
  /// A safetensors file whose `latents_init` replaces the random initial latents.
  package var latentsIn: String?
  /// A safetensors file that receives `latents_init`, `latents` and `timesteps`.
  package var trajectory: String?
  /// Whether the time of each kernel is shown.
  package var profiles = false

  package init() {}
}

extension SampleRequest {
  /// Reads seeds such as `7`, `1,2,5-8` or `-1` for a random one; nil for anything else.
  package static func seeds(_ text: String) -> [UInt64]? {
    // Other programs read seeds into 32 bits, so a random one must fit there.
    SeedList.parse(text) { UInt64(UInt32.random(in: 0...UInt32.max)) }
  }
}
