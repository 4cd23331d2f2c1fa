import ArgumentParser
import MoscDriver
import MoscSample

struct SampleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample", abstract: "Draw pictures for a prompt.")

  @Option(name: .shortAndLong, parsing: .unconditional, help: "What to draw.")
  var prompt: String?

  @Option(name: .shortAndLong, parsing: .unconditional, help: "What not to draw.")
  var negativePrompt = ""

  @Option(name: [.long, .customLong("from-file")],
    help: ArgumentHelp("A file with one prompt per line ('-' for standard input).",
      valueName: "file"))
  var promptFile: String?

  @Option(name: [.long, .customLong("num-inference-steps")], help: "Denoising steps.")
  var steps = 20

  @Option(name: [.long, .customLong("guidance-scale")],
    help: "Guidance; 1 or less draws without the negative prompt.")
  var cfgScale = 7.0

  @Option(name: .shortAndLong, parsing: .unconditional,
    help: ArgumentHelp("Seeds, such as 7 or 1,2,5-8; -1 for a random one.", valueName: "list"))
  var seed = "-1"

  @Option(name: [.customShort("W"), .long], help: "Width in pixels.")
  var width: Int?

  @Option(name: [.customShort("H"), .long], help: "Height in pixels.")
  var height: Int?

  @Option(help: ArgumentHelp("Width and height.", valueName: "WxH"))
  var size: String?

  @Option(name: [.customLong("sampling-method"), .customLong("sampler")],
    help: ArgumentHelp(
      "ddim, ddpm, dpm++2m, dpm++2m_sde, euler, euler_a, heun, lcm, lms, plms, unipc, or another "
        + "program's name of one.", valueName: "name"))
  var sampler = "dpm++2m"

  @Option(
    help: ArgumentHelp(
      "The spacing of noise levels.", valueName: "default|karras|exponential"))
  var scheduler: String?

  @Option(help: ArgumentHelp("How timesteps are placed (default: as the model says).",
    valueName: "linspace|leading|trailing"))
  var timestepSpacing: String?

  @Option(name: .shortAndLong, help: "Batches.")
  var batchCount = 1

  @Option(help: "Pictures drawn at a time.")
  var batchSize = 1

  @Option(help: "The text-encoder layer to stop at, counted from the end; 1 is the last.")
  var clipSkip = 1

  @Option(help: ArgumentHelp("The random source.", valueName: "cpu|cuda|numpy"))
  var rng = "cpu"

  @Option(name: .shortAndLong,
    help: ArgumentHelp("The picture ('-' for standard output; '%03d' numbers a series).",
      valueName: "file"))
  var output = "output.png"

  @Flag(help: "Leave the generation parameters out of the picture.")
  var disableImageMetadata = false

  @Option(
    help: ArgumentHelp(
      "A part of the picture with its own prompt (repeatable): box or mask, prompt, negative, "
        + "weight, feather, steps, t2i, name.",
      valueName: "'box=x0,y0,x1,y1; prompt=…'"))
  var region: [String] = []

  @Option(help: ArgumentHelp("A JSON file with regions of the same fields.", valueName: "file"))
  var regions: String?

  @Option(
    name: [.long, .customLong("prompt_rewrite")], parsing: .unconditional,
    help: ArgumentHelp("Regions as Mix-of-Show spells them, separated by '|'.",
      valueName: "'[p]-*-[n]-*-[top,left,bottom,right]'"))
  var promptRewrite: String?

  @Option(
    help: ArgumentHelp("A T2I-Adapter for sketches or poses (repeatable).", valueName: "file"))
  var t2iAdapter: [String] = []

  @Option(help: ArgumentHelp("The condition image of each adapter, in order.", valueName: "file"))
  var t2iImage: [String] = []

  @Option(help: ArgumentHelp("The strength of each adapter, in order.", valueName: "number"))
  var t2iStrength: [Double] = []

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Strengths of each adapter inside of boxes.",
      valueName: "'[top,left,bottom,right]-0.8|…'"))
  var t2iRegion: [String] = []

  @Option(
    help: ArgumentHelp("Sample exactly as this program does.", valueName: "mix-of-show"))
  var compat: String?

  @Option(help: ArgumentHelp("Initial latents instead of random ones ('latents_init').",
    valueName: "file"))
  var latentsIn: String?

  @Option(help: ArgumentHelp("Record the latents after every step.", valueName: "file"))
  var trajectory: String?

  @Flag(help: "Show the time of each kernel, its work and how near it is to the machine's best.")
  var profile = false

  @OptionGroup(title: "Model") var model: ModelArguments
  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func validate() throws {
    if prompt == nil && promptFile == nil {
      throw ValidationError("what to draw? Give a prompt with -p, or a file with --prompt-file")
    }
    if prompt != nil && promptFile != nil {
      throw ValidationError("--prompt and --prompt-file exclude each other")
    }
    if let compat, compat != "mix-of-show" {
      throw ValidationError("--compat '\(compat)': expected 'mix-of-show'")
    }
    if size != nil && (width != nil || height != nil) {
      throw ValidationError("--size and --width/--height exclude each other")
    }
  }

  func request() throws -> SampleRequest {
    var request = SampleRequest()
    request.model = try model.options()
    request.compiler = try compiler.options(for: request.model)
    request.prompt = prompt ?? ""
    request.negativePrompt = negativePrompt
    request.promptFile = promptFile
    request.steps = steps
    request.guidance = cfgScale
    guard let seeds = SampleRequest.seeds(seed) else {
      throw ValidationError("--seed '\(seed)': expected numbers such as 7 or 1,2,5-8")
    }
    request.seeds = seeds
    request.width = width
    request.height = height
    if let size {
      guard let picture = PictureSize(size) else {
        throw ValidationError("--size '\(size)': expected width and height such as 512x768")
      }
      request.width = picture.width
      request.height = picture.height
    }
    request.sampler = sampler
    request.schedule = scheduler
    request.timestepSpacing = timestepSpacing
    request.batchCount = batchCount
    request.batchSize = batchSize
    request.clipSkip = clipSkip
    request.randomSource = rng
    request.output = output
    request.writesMetadata = !disableImageMetadata
    request.regions.texts = region
    request.regions.scene = regions
    request.regions.rewrite = promptRewrite
    request.conditions = try SpatialCondition.paired(
      adapters: t2iAdapter, images: t2iImage, strengths: t2iStrength, boxes: t2iRegion)
    request.matchesMixOfShow = compat != nil
    request.latentsIn = latentsIn
    request.trajectory = trajectory
    request.profiles = profile
    return request
  }

  func run() throws {
    let reporter = try log.reporter()
    let request = try request()
    try perform(reporter) { try SampleJob(request, reporter).run() }
  }
}
