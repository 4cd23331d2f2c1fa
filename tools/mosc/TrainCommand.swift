import ArgumentParser
import MoscFormats
import MoscReport
import MoscNetworks
import MoscTrain

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Teach a model a concept from a few pictures.",
    discussion: """
      The concept becomes one small file for --lora: low-rank layers, and an embedding of its words \
      for every cross-attention layer (ED-LoRA). Example:

        mosc train --data my-cat --concept '<cat1> <cat2>' --init cat -o my-cat.safetensors
        mosc sample --lora my-cat.safetensors -p 'a photo of a <cat1> <cat2>'

      Captions are .txt files beside the pictures; masks, white where the concept is, have the \
      names of the pictures. Beside the output lie a log (.log.jsonl), the loss (.loss.svg) and the \
      run's state (.state.safetensors), from which --resume goes on, with more --steps also after the \
      end. Defaults belong to the model: those of the embedded one come first, then those of Stable \
      Diffusion.
      """)

  @Option(
    name: .long,
    help: ArgumentHelp(
      "A folder of pictures, or one with folders images, captions and masks.", valueName: "folder"))
  var data: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "A Mix-of-Show (.yml) or kohya (.toml) configuration.", valueName: "file"))
  var config: String?

  @Option(help: ArgumentHelp("A folder of captions.", valueName: "folder"))
  var captions: String?

  @Option(help: ArgumentHelp("A folder of masks.", valueName: "folder"))
  var masks: String?

  @Option(
    name: .long,
    help: ArgumentHelp("The words to teach.", valueName: "'<a1> <a2>'"))
  var concept: String?

  @Option(
    name: [.customLong("init")],
    help: ArgumentHelp("The word that the concept starts from.", valueName: "word"))
  var start: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The concept: a .safetensors or .pth file.", valueName: "file"))
  var output: String

  @Option(help: ArgumentHelp("The layout of the file.", valueName: "layout"))
  var format: ConceptFile.Layout?

  @Option(help: ArgumentHelp(
    "The side of the pictures (default: that of the model).", valueName: "pixels"))
  var resolution: Int?

  @Option(
    name: .long,
    help: "Steps (default: \(defaults(\.training.steps)); those of a Mix-of-Show configuration).")
  var steps: Int?

  @Option(
    name: .long,
    help: "Passes over all pictures, in place of --steps.")
  var epochs: Int?

  @Option(
    name: .long,
    help: "Pictures of a step (default: \(defaults(\.training.batchSize))).")
  var batchSize: Int?

  @Option(
    name: [.customLong("gradient-accumulation")],
    help: "Batches whose gradients are added up for a step.")
  var accumulation: Int?

  @Option(name: .long, 
    help: "The rank of the layers (default: \(defaults(\.training.rank))).")
  var rank: Int?

  @Option(help: ArgumentHelp(
    "Which layers are taught: the projections of attention, or also the feed-forward layers and what is around them "
      + "(default: \(defaults(\.training.layers.rawValue))).",
    valueName: "choice"))
  var layers: AdaptedLayers?

  @Option(help: "The multiplier of the layers, not divided by the rank (default: 1).")
  var alpha: Double?

  @Option(
    name: .long,
    help: "The same as kohya counts it: it is divided by the rank.")
  var networkAlpha: Double?

  @Option(
    name: .long,
    help: "The learning rate of text encoder and U-Net, where they have none of their own.")
  var learningRate: Double?

  @Option(
    name: [.customLong("embedding-lr")],
    help: "The learning rate of the embeddings (default: \(defaults(\.training.embeddingRate))).")
  var embeddingRate: Double?

  @Option(
    name: [.customLong("text-encoder-lr")],
    help: "The learning rate of the text encoder's layers (default: \(defaults(\.training.textEncoderRate))).")
  var textEncoderRate: Double?

  @Option(
    name: [.customLong("unet-lr")],
    help: "The learning rate of the U-Net's layers (default: \(defaults(\.training.unetRate))).")
  var unetRate: Double?

  @Option(
    name: .long,
    help: ArgumentHelp("How learning rates fall.", valueName: "shape"))
  var lrScheduler = LearningRateSchedule.Shape.linear

  @Option(
    name: [.customLong("warm-up")],
    help: "Steps over which learning rates rise.")
  var warmUp = 0

  @Option(
    name: .long,
    help: "The share of noise that is constant over a channel; 0 for none (default: 0.01).")
  var noiseOffset: Double?

  @Option(
    name: [.customLong("attention-weight")],
    help: "The weight of the regulariser that keeps attention on the concept, where there are masks; 0 for none (default: \(defaults(\.training.attentionWeight))).")
  var attentionWeight: Double?

  @Flag(
    name: [.customLong("masked-loss")], inversion: .prefixedNo,
    help: "Learn only where the masks are white (default: as the configuration says, else not).")
  var maskedLoss: Bool?

  @Flag(
    inversion: .prefixedNo,
    help: "One embedding of the words for every cross-attention layer, rather than one for all.")
  var layerwise: Bool?

  @Option(help: "The seed of every draw.")
  var seed: UInt64?

  @Option(
    name: [.customLong("embedding-norm")],
    help: "The mean norm of the embeddings at which they stop being trained (default: \(defaults(\.training.embeddingNorm))).")
  var embeddingNorm: Double?

  @Option(help: "Keep a running mean of the parameters with this decay, and write it.")
  var ema: Double?

  @Option(help: "How many variants of a picture are encoded, where transforms draw.")
  var variants = TrainRequest(output: "").variants

  @Option(help: "Save the state every so many steps, too.")
  var saveEvery: Int?

  @Option(help: ArgumentHelp(
    "Save the state at least every so many minutes (sooner while the run is young).",
    valueName: "minutes"))
  var saveMinutes = TrainRequest(output: "").saveSeconds / 60

  @Option(
    name: .long,
    help: "Keep the concept of every so many steps in a file of its own, NAME-step00000100.")
  var keepEvery: Int?

  @Flag(help: "Go on from the saved state beside the output; with more --steps, also after the end.")
  var resume = false

  @Flag(help: "Begin anew, and throw away the saved state beside the output.")
  var overwrite = false

  @Option(
    name: [.customLong("preview-every")],
    help: "Steps between preview pictures.")
  var previewEvery: Int?

  @Option(
    name: [.customLong("preview-prompt")],
    help: "A prompt of the previews (repeatable).")
  var previewPrompt: [String] = []

  @Option(help: ArgumentHelp("Keep every random draw in a file.", valueName: "file"))
  var recordDraws: String?

  @Option(help: ArgumentHelp(
    "Take every draw and setting from a file; --lora says what training starts from.",
    valueName: "file"))
  var replayDraws: String?

  @Option(help: ArgumentHelp("Plan for no more memory than this, such as 6G.", valueName: "size"))
  var maxRam: ByteSize?

  @Flag(help: "Show the time of each kernel at the end.")
  var profile = false

  @OptionGroup(title: "Model") var model: ModelArguments
  @OptionGroup(title: "Adapters") var startFiles: AdapterFileArguments
  @OptionGroup(title: "Several processes") var cluster: ClusterArguments
  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    let request = try request()
    try cluster.perform(reporter) { try TrainJob(request, reporter, $0).run() }
  }

  private func request() throws -> TrainRequest {
    var request = TrainRequest(output: output)
    request.model = startFiles.applied(to: model.options)
    request.compiler = try compiler.options()
    (request.config, request.data) = (config, data)
    (request.captions, request.masks) = (captions, masks)
    (request.concept, request.start, request.layout) = (concept, start, format)
    (request.resolution, request.steps, request.batchSize) = (resolution, steps, batchSize)
    (request.accumulation, request.rank, request.alpha) = (accumulation, rank, alpha)
    request.layers = layers
    request.embeddingRate = embeddingRate
    (request.textEncoderRate, request.unetRate) = (textEncoderRate, unetRate)
    (request.rateShape, request.warmUp) = (lrScheduler, warmUp)
    request.noiseOffset = noiseOffset
    (request.attentionWeight, request.usesMaskLoss) = (attentionWeight, maskedLoss)
    request.isLayerwise = layerwise
    (request.seed, request.embeddingNormThreshold) = (seed, embeddingNorm)
    (request.averageDecay, request.variants) = (ema, variants)
    (request.saveInterval, request.saveSeconds) = (saveEvery, saveMinutes * 60)
    (request.keepInterval, request.epochs) = (keepEvery, epochs)
    (request.resumes, request.overwrites) = (resume, overwrite)
    (request.networkAlpha, request.learningRate) = (networkAlpha, learningRate)
    (request.previewInterval, request.previewPrompts) = (previewEvery, previewPrompt)
    (request.recordDraws, request.replayDraws) = (recordDraws, replayDraws)
    (request.memoryLimit, request.profiles) = (maxRam, profile)
    return request
  }
}
