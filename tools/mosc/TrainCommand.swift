import ArgumentParser
import MoscFormats
import MoscReport
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
      names of the pictures. Beside the output lie a log (.log.jsonl), the loss (.loss.svg) and, \
      until the run is over, its state (.state.safetensors).
      """)

  @Option(
    name: [.long, .customLong("train_data_dir"), .customLong("instance-data-dir")],
    help: ArgumentHelp(
      "A folder of pictures, or one with folders images, captions and masks.", valueName: "folder"))
  var data: String?

  @Option(
    name: [.long, .customLong("dataset_config"), .customLong("opt")],
    help: ArgumentHelp(
      "A Mix-of-Show (.yml) or kohya (.toml) configuration.", valueName: "file"))
  var config: String?

  @Option(help: ArgumentHelp("A folder of captions.", valueName: "folder"))
  var captions: String?

  @Option(help: ArgumentHelp("A folder of masks.", valueName: "folder"))
  var masks: String?

  @Option(
    name: [.long, .customLong("placeholder_token")],
    help: ArgumentHelp("The words to teach.", valueName: "'<a1> <a2>'"))
  var concept: String?

  @Option(
    name: [.customLong("init"), .customLong("initializer_token")],
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

  @Option(name: [.long, .customLong("max_train_steps")], help: "Steps.")
  var steps: Int?

  @Option(name: [.long, .customLong("train_batch_size")], help: "Pictures of a step.")
  var batchSize: Int?

  @Option(
    name: [.customLong("gradient-accumulation"), .customLong("gradient_accumulation_steps")],
    help: "Batches whose gradients are added up for a step.")
  var accumulation: Int?

  @Option(name: [.long, .customLong("network_dim")], help: "The rank of the layers.")
  var rank: Int?

  @Option(help: "The multiplier of the layers, not divided by the rank.")
  var alpha: Double?

  @Option(name: [.customLong("embedding-lr")], help: "The learning rate of the embeddings.")
  var embeddingRate: Double?

  @Option(
    name: [.customLong("text-encoder-lr"), .customLong("text_encoder_lr")],
    help: "The learning rate of the text encoder's layers.")
  var textEncoderRate: Double?

  @Option(
    name: [.customLong("unet-lr"), .customLong("unet_lr")],
    help: "The learning rate of the U-Net's layers.")
  var unetRate: Double?

  @Option(
    name: [.long, .customLong("lr_scheduler")],
    help: ArgumentHelp("How learning rates fall.", valueName: "shape"))
  var lrScheduler = LearningRateSchedule.Shape.linear

  @Option(
    name: [.customLong("warm-up"), .customLong("lr_warmup_steps")],
    help: "Steps over which learning rates rise.")
  var warmUp = 0

  @Option(
    name: [.long, .customLong("noise_offset")],
    help: "The share of noise that is constant over a channel; 0 for none.")
  var noiseOffset: Double?

  @Option(
    name: [.customLong("attention-weight"), .customLong("attn-reg-weight")],
    help: "The weight of the regulariser that keeps attention on the concept; 0 for none.")
  var attentionWeight: Double?

  @Flag(
    name: [.customLong("masked-loss"), .customLong("masked_loss")], inversion: .prefixedNo,
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
    help: "The mean norm of the embeddings at which they stop being trained.")
  var embeddingNorm: Double?

  @Option(help: "Keep a running mean of the parameters with this decay, and write it.")
  var ema: Double?

  @Option(help: "How many variants of a picture are encoded, where transforms draw.")
  var variants = TrainRequest(output: "").variants

  @Option(
    name: [.customLong("save-every"), .customLong("save_every_n_steps")],
    help: "Steps between saved states.")
  var saveEvery: Int?

  @Flag(help: "Go on from the saved state beside the output, if there is one.")
  var resume = false

  @Option(
    name: [.customLong("preview-every"), .customLong("sample_every_n_steps")],
    help: "Steps between preview pictures.")
  var previewEvery: Int?

  @Option(
    name: [.customLong("preview-prompt"), .customLong("validation_prompt")],
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
  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    let request = try request()
    try perform(reporter) { try TrainJob(request, reporter).run() }
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
    request.embeddingRate = embeddingRate
    (request.textEncoderRate, request.unetRate) = (textEncoderRate, unetRate)
    (request.rateShape, request.warmUp) = (lrScheduler, warmUp)
    request.noiseOffset = noiseOffset
    (request.attentionWeight, request.usesMaskLoss) = (attentionWeight, maskedLoss)
    request.isLayerwise = layerwise
    (request.seed, request.embeddingNormThreshold) = (seed, embeddingNorm)
    (request.averageDecay, request.variants) = (ema, variants)
    (request.saveInterval, request.resumes) = (saveEvery, resume)
    (request.previewInterval, request.previewPrompts) = (previewEvery, previewPrompt)
    (request.recordDraws, request.replayDraws) = (recordDraws, replayDraws)
    (request.memoryLimit, request.profiles) = (maxRam, profile)
    return request
  }
}
