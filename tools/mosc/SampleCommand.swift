import ArgumentParser
import MoscDiffusion
import MoscDriver
import MoscNetworks
import MoscRandom
import MoscSample

struct SampleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample", abstract: "Draw pictures for a prompt.")

  @Option(name: .shortAndLong, parsing: .unconditionalSingleValue, help: "What to draw (repeatable).")
  var prompt: [String] = []

  @Option(name: .shortAndLong, parsing: .unconditionalSingleValue, help: "What not to draw.")
  var negativePrompt: [String] = []

  @Option(name: [.long, .customLong("from-file")],
    help: ArgumentHelp("A file with one prompt per line ('-' for standard input).",
      valueName: "file"))
  var promptFile: String?

  @Option(name: [.long, .customLong("num-inference-steps")], 
    help: "Denoising steps (default: \(SampleRequest().steps), or what a few-step model or adapter is made for).")
  var steps: Int?

  @Option(name: [.long, .customLong("guidance-scale")],
    help: "Guidance; 1 or less draws without the negative prompt (default: \(defaults(\.guidance))).")
  var cfgScale: Double?

  @Option(name: .shortAndLong, parsing: .unconditional,
    help: ArgumentHelp("Seeds, such as 7 or 1,2,5-8; -1 for a random one.", valueName: "list"))
  var seed = SeedList.random

  @Option(name: [.customShort("W"), .long], help: "Width in pixels (default: that of the model's training).")
  var width: Int?

  @Option(name: [.customShort("H"), .long], help: "Height in pixels (default: that of the model's training).")
  var height: Int?

  @Option(help: ArgumentHelp("Width and height, such as 512x768.", valueName: "WxH"))
  var size: PictureSize?

  @Option(name: [.customLong("sampling-method"), .customLong("sampler")],
    help: ArgumentHelp(
      "The sampler, by the name that any program has for it: dpm++2m, euler_a, PNDMScheduler, 'DPM++ 2M Karras' "
        + "(default: \(SampleRequest().sampler), or what a few-step model or adapter is made for).",
      valueName: "name"))
  var sampler: SamplerName.Choice?

  @Option(help: ArgumentHelp("The spacing of noise levels.", valueName: "spacing"))
  var scheduler: SchedulerConfig.Levels?

  @Option(help: ArgumentHelp(
    "Noise levels, one per step, such as 14.6,6.5,2.7,0.9,0; they set the number of steps.", valueName: "list"))
  var sigmas: SigmaList?

  @Option(help: "How much of its noise DDIM (default: 0) or TCD (default: 0.3) puts back.")
  var eta: Double?

  @Option(help: ArgumentHelp("How timesteps are placed (default: as the model says).",
    valueName: "spacing"))
  var timestepSpacing: SchedulerConfig.Spacing?

  @Option(help: ArgumentHelp(
    "What the model predicts: epsilon, v_prediction or sample (default: as the model says).",
    valueName: "type"))
  var predictionType: SchedulerConfig.Prediction?

  @Flag(name: [.long, .customLong("zsnr")],
    help: "The model was trained with a last noise level that has no signal.")
  var zeroTerminalSnr = false

  @Option(name: .shortAndLong, help: "Batches.")
  var batchCount = 1

  @Option(help: "Pictures drawn at a time.")
  var batchSize = 1

  @Option(help: "The text-encoder layer to stop at, counted from the end; 1 is the last.")
  var clipSkip = 1

  @Option(help: ArgumentHelp("The random source.", valueName: "source"))
  var rng = RandomSourceKind.cpu

  @Option(name: .shortAndLong,
    help: ArgumentHelp(
      "A .png, .jpg or .webp file ('-' for standard output), a folder for numbered pictures, or a pattern of names "
        + "with %03d, [seed] and [prompt] (default: 00000-SEED.png here, and so on).",
      valueName: "file|folder/"))
  var output = SampleRequest().output

  @Flag(help: "Leave the generation parameters out of the picture.")
  var disableImageMetadata = false

  @Option(
    help: ArgumentHelp("Sample exactly as this program does.", valueName: "program"))
  var compat: CompatibleProgram?

  @Option(help: ArgumentHelp("Initial latents instead of random ones ('latents_init').",
    valueName: "file"))
  var latentsIn: String?

  @Option(help: ArgumentHelp("Record the latents after every step.", valueName: "file"))
  var trajectory: String?

  @Flag(help: "Show the time of each kernel, its work and how near it is to the machine's best.")
  var profile = false

  @OptionGroup(title: "Prompts") var prompts: PromptArguments
  @OptionGroup(title: "A picture to begin with") var picture: PictureArguments
  @OptionGroup(title: "Variations") var variation: VariationArguments
  @OptionGroup(title: "Few and cheap steps") var fewSteps: FewStepArguments
  @OptionGroup(title: "Previews and the tiny autoencoder") var previews: PreviewArguments
  @OptionGroup(title: "Regions") var regions: RegionArguments
  @OptionGroup(title: "Condition images") var conditions: ConditionArguments
  @OptionGroup(title: "ControlNets") var control: ControlArguments
  @OptionGroup(title: "Second pass") var hires: HiresArguments
  @OptionGroup(title: "Large pictures") var large: LargePictureArguments
  @OptionGroup(title: "Model") var model: ModelArguments
  @OptionGroup(title: "Adapters") var adapters: AdapterArguments
  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Several processes") var cluster: ClusterArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func validate() throws {
    if prompt.isEmpty && promptFile == nil {
      throw ValidationError("what to draw? Give a prompt with -p, or a file with --prompt-file")
    }
    if !prompt.isEmpty && promptFile != nil {
      throw ValidationError("--prompt and --prompt-file exclude each other")
    }
    if negativePrompt.count > 1 {
      throw ValidationError("--negative-prompt: expected one for all pictures, found \(negativePrompt.count)")
    }
    if size != nil && (width != nil || height != nil) {
      throw ValidationError("--size and --width/--height exclude each other")
    }
  }

  func request() throws -> SampleRequest {
    var request = SampleRequest()
    request.model = adapters.applied(to: model.options)
    request.compiler = try compiler.options(for: request.model)
    (request.prompts, request.promptFile) = (prompt, promptFile)
    request.negativePrompt = negativePrompt.first ?? ""
    request.promptSettings = try prompts.settings
    request.fewSteps = fewSteps.options
    if steps == nil { request.fewSteps.unsaid.insert(.steps) }
    if sampler == nil { request.fewSteps.unsaid.insert(.sampler) }
    try previews.apply(to: &request)
    (request.guidance, request.clipSkip) = (cfgScale, clipSkip)
    request.steps = steps ?? request.steps
    (request.seeds, request.randomSource) = (seed.seeds(), rng)
    (request.width, request.height) = (size?.width ?? width, size?.height ?? height)
    (request.sampler, request.levels) = (sampler ?? request.sampler, scheduler)
    request.timestepSpacing = timestepSpacing
    (request.sigmas, request.eta) = (sigmas?.levels, eta)
    (request.prediction, request.hasZeroTerminalSNR) = (predictionType, zeroTerminalSnr)
    (request.batchCount, request.batchSize) = (batchCount, batchSize)
    (request.output, request.writesMetadata) = (output, !disableImageMetadata)
    (request.picture, request.variation) = (picture.options, variation.options())
    request.regions = regions.options
    request.conditions = try conditions.conditions()
    request.control = try control.options
    request.matchesMixOfShow = compat == .mixOfShow
    (request.latentsIn, request.trajectory) = (latentsIn, trajectory)
    request.profiles = profile
    large.apply(to: &request)
    request.hires = try hires.options()
    return request
  }

  func run() throws {
    let reporter = try log.reporter()
    let request = try request()
    try cluster.draw(reporter) { try SampleJob(request, reporter, $0).run() }
  }
}

/// Parts of the picture with prompts of their own.
struct RegionArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A part of the picture with its own prompt (repeatable): box or mask, prompt, negative, "
        + "weight, feather, steps, strength, lora, base, background, guidance, seed, t2i, name.",
      valueName: "'box=x0,y0,x1,y1; prompt=…'"))
  var region: [String] = []

  @Option(help: ArgumentHelp("A JSON file with regions of the same fields.", valueName: "file"))
  var regions: String?

  @Option(help: "What becomes of pixels in several regions: their average, the later region on top, or a blend.")
  var regionOverlap = RegionCoverage.Overlap.average

  @Option(help: ArgumentHelp(
    "Write how regions keep to themselves: cells, attention to their words outside, energy of their adapters.",
    valueName: "file.json"))
  var regionReport: String?

  @Option(help: ArgumentHelp("Draw who has which share where.", valueName: "file.png"))
  var regionMap: String?

  @Option(
    name: [.long, .customLong("prompt_rewrite")], parsing: .unconditional,
    help: ArgumentHelp("Regions as Mix-of-Show spells them, separated by '|'.",
      valueName: "'[p]-*-[n]-*-[top,left,bottom,right]'"))
  var promptRewrite: String?

  @Option(help: ArgumentHelp(
    "Sizes of a grid that the prompt fills with ADDCOL, ADDROW or BREAK, as for Regional Prompter.",
    valueName: "'1,1;2,1'"))
  var regionRatios: String?

  @Option(help: ArgumentHelp(
    "The share of the prompt before ADDBASE in each cell (default: 0.2).", valueName: "0…1,…"))
  var regionBaseRatios: String?

  @Option(help: "Whether such a grid is cut into rows of columns, or columns of rows.")
  var regionDivision = RegionalPrompterText.Division.columns

  @Option(help: ArgumentHelp(
    "Every line of the prompt ('\\n') is a part of the picture, as for Forge Couple.",
    valueName: "horizontal|vertical"))
  var regionLines: CoupledLines.Direction?

  @Option(help: "Which of these lines is the background.")
  var regionBackground = CoupledLines.Background.none

  @Option(help: "The weight of the background beside 1 for each part.")
  var regionBackgroundWeight = 0.5

  var options: RegionOptions {
    var options = RegionOptions()
    (options.prompter.ratios, options.prompter.baseRatios) = (regionRatios, regionBaseRatios)
    options.prompter.division = regionDivision
    options.overlap = regionOverlap
    (options.report.file, options.report.map) = (regionReport, regionMap)
    options.lines = regionLines.map { CoupledLines($0) }
    options.lines?.background = regionBackground
    options.lines?.backgroundWeight = regionBackgroundWeight
    (options.texts, options.scene, options.rewrite) = (region, regions, promptRewrite)
    return options
  }
}

/// Sketches and poses that a picture follows.
struct ConditionArguments: ParsableArguments {
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

  func conditions() throws -> [SpatialCondition] {
    try SpatialCondition.paired(
      adapters: t2iAdapter, images: t2iImage, strengths: t2iStrength, boxes: t2iRegion)
  }
}
