import ArgumentParser
import MoscEngine
import MoscSample
import MoscTrain

struct PretrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pretrain",
    abstract: "Train a complete small model on captioned pictures.",
    discussion: """
      Pictures are PNG, JPEG or WebP files, each with a text file of the same name beside it. Weights \
      start from random numbers, or from those of a model with -m. The folder holds the running \
      mean of the weights after every checkpoint, and can be sampled from at any time. With --stage \
      control the model stays as it is, and the folder is that of a ControlNet for it.
      """)

  @Option(help: ArgumentHelp("Pictures with captions.", valueName: "folder"))
  var data: String

  @Option(name: .shortAndLong, help: ArgumentHelp("The model to make.", valueName: "folder"))
  var output: String

  @Option(name: .shortAndLong,
    help: ArgumentHelp("A model to start from.", valueName: "folder"))
  var model: String?

  @Option(
    help: ArgumentHelp(
      "A model with sizes, tokenizer and the parts that are not trained (default: the embedded "
        + "one).", valueName: "folder"))
  var config: String?

  @Option(help: ArgumentHelp("What to train.", valueName: "stage"))
  var stage = PretrainingScope.all

  @Option(help: "Steps of text encoder and U-Net.")
  var steps = 6000

  @Option(help: "Pictures per step, of the smallest size.")
  var batch = 20

  @Option(help: "Learning rate.")
  var lr = 1e-3

  @Option(help: "Steps of the autoencoder.")
  var vaeSteps = 2000

  @Option(help: "Pictures per step of the autoencoder.")
  var vaeBatch = 8

  @Option(help: "Learning rate of the autoencoder.")
  var vaeLr = 1e-3

  @Option(help: "Steps over which learning rates rise.")
  var warmup = 100

  @Option(help: "Weight decay of matrices and kernels.")
  var weightDecay = 0.01

  @Option(help: "What the running mean of the weights keeps of itself in a step.")
  var ema = 0.998

  @Option(help: "The largest norm of all gradients together.")
  var clip = 1.0

  @Option(help: "The share of captions that are left out.")
  var captionDropout = 0.1

  @Option(name: .customLong("min-snr"), help: "The limit of signal to noise in loss weights.")
  var minSnr = 5.0

  @Option(
    help: "The floor of signal to noise in loss weights; more makes it learn where things are.")
  var snrFloor = 0.0

  @Option(
    help: ArgumentHelp(
      "The share of pictures that get timesteps of the noisiest 15 % of the schedule.",
      valueName: "share"))
  var noisyShare = 0.15

  @Option(help: ArgumentHelp(
    "What the places of phrases weigh in the loss, as a file STEM.json beside each picture tells them.",
    valueName: "weight"))
  var layoutWeight = 0.0

  @Option(help: ArgumentHelp(
    "The share of steps in which the left and the right of a picture have prompts of their own, from the same file.",
    valueName: "share"))
  var regionShare = 0.0

  @Option(help: ArgumentHelp(
    "Pictures that a ControlNet is shown, of the names and sizes of the others (default: edges of those).",
    valueName: "folder"))
  var controlData: String?

  @Option(help: ArgumentHelp(
    "What is made of them first: canny, canny:LOW,HIGH, scribble, invert or none.", valueName: "kind"))
  var controlPreprocess: ControlPreprocessor?

  @Option(help: "Pictures to measure the loss on instead of training.")
  var validation = 0

  @Option(help: "The seed of everything that is drawn.")
  var seed: UInt64 = 0

  @Option(help: "Steps between checkpoints.")
  var saveEvery = 500

  @Option(help: ArgumentHelp(
    "Save the state at least every so many minutes (sooner while the run is young).",
    valueName: "minutes"))
  var saveMinutes = PretrainRequest(data: "", output: "").saveSeconds / 60

  @Option(help: "Steps between lines of the log.")
  var logEvery = 50

  @Option(help: "Save and end after this many steps.")
  var stopAfter: Int?

  @Flag(help: "Continue the run in the output folder.")
  var resume = false

  @Option(name: [.customLong("type"), .customLong("precision")],
    help: ArgumentHelp(
      "Arithmetic, f32 or bf16 (default: bf16 where the processor has it); weights are f32 in any case.",
      valueName: "type"))
  var type: Precision?

  @Option(help: ArgumentHelp("Element type of the files.", valueName: "type"))
  var saveType = SavedType.f16

  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func validate() throws {
    for (name, value) in [
      ("steps", steps), ("vae-steps", vaeSteps), ("validation", validation), ("warmup", warmup),
    ] {
      try check(name, value, least: 0)
    }
    for (name, value) in [
      ("batch", batch), ("vae-batch", vaeBatch), ("save-every", saveEvery), ("log-every", logEvery),
    ] {
      try check(name, value, least: 1)
    }
  }

  func request() throws -> PretrainRequest {
    var request = PretrainRequest(data: data, output: output)
    (request.start, request.configuration) = (model, config)
    request.stages = stage.stages
    request.denoiser = recipe(steps, batch, lr)
    request.autoencoder = recipe(vaeSteps, vaeBatch, vaeLr)
    (request.captionDropout, request.noisyShare) = (captionDropout, noisyShare)
    (request.noiseRatioLimit, request.noiseRatioFloor) = (minSnr, snrFloor)
    (request.layoutWeight, request.regionShare) = (layoutWeight, regionShare)
    (request.validation, request.seed) = (validation, seed)
    (request.controlData, request.controlPreprocessor) = (controlData, controlPreprocess)
    (request.saveEvery, request.logEvery) = (saveEvery, logEvery)
    request.saveSeconds = saveMinutes * 60
    (request.resumes, request.stopAfter) = (resume, stopAfter)
    (request.precision, request.savedType) = (type, saveType)
    request.compiler = try compiler.options()
    return request
  }

  private func recipe(_ steps: Int, _ batch: Int, _ rate: Double) -> PretrainingRecipe {
    var recipe = PretrainingRecipe(
      steps: steps, batch: batch, learningRate: rate, warmUp: warmup)
    recipe.weightDecay = weightDecay
    recipe.averageDecay = ema
    recipe.gradientNorm = clip
    return recipe
  }

  func run() throws {
    let reporter = try log.reporter()
    let request = try request()
    try perform(reporter) { try PretrainJob(request, reporter).run() }
  }
}
