import ArgumentParser
import MoscFuse

struct FuseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fuse", abstract: "Fuse concepts into one file, or into one model.",
    discussion: """
      Inputs are concept files with strengths (ED-LoRA .pth, kohya or own .safetensors), or the \
      JSON configuration of the Mix-of-Show code. Each concept's prompts run once for statistics of \
      what every layer reads; the change that serves all of them best is then solved for.
      """)

  @Argument(help: ArgumentHelp("Concepts.", valueName: "config.json|file[:te[:unet]]"))
  var inputs: [FusionInput] = []

  @Option(name: .shortAndLong, help: ArgumentHelp(
    "The fused concept: a .safetensors file, or a folder (default: fused-0000.safetensors here, and so on).",
    valueName: "file|folder/"))
  var output = FuseRequest().output

  @Option(help: ArgumentHelp("Write the whole fused model too.", valueName: "folder"))
  var fullModel: String?

  @Option(help: ArgumentHelp("Keep the statistics here for later changes.", valueName: "folder"))
  var stats: String?

  @Option(help: ArgumentHelp(
    "A concept that joins those of --stats (repeatable).", valueName: "file[:te[:unet]]"))
  var add: [FusionInput] = []

  @Option(help: ArgumentHelp("A concept that leaves those of --stats (repeatable).",
    valueName: "name"))
  var remove: [String] = []

  @Option(help: ArgumentHelp(
    "Another strength for a concept of --stats (repeatable).", valueName: "name=te[:unet]"))
  var reweigh: [Reweighing] = []

  @Option(help: ArgumentHelp("How to merge.", valueName: "method"))
  var merge = FusionMethod.solve

  @Option(help: "The rank of --merge svd (default: the largest of the concepts), ties and dare (default: all together).")
  var rank: Int?

  @Option(help: ArgumentHelp(
    "The share of numbers that --merge ties and dare leave (default: 0.5).", valueName: "share"))
  var density: Double?

  @Option(help: "The solver (default: \(FuseRequest.defaultSolver.rawValue)).")
  var solver: FusionSolver?

  @Option(help: ArgumentHelp(
    "Repeat a run of the Mix-of-Show code: each stage on the fused ones before it.",
    valueName: "program"))
  var compat: CompatibleProgram?

  @Option(help: ArgumentHelp("The edge of the pictures that statistics come from.",
    valueName: "pixels"))
  var size: Int?

  @Option(name: [.long, .customLong("num-inference-steps")], help: "Denoising steps of them.")
  var steps = FuseRequest().steps

  @Option(help: ArgumentHelp(
    "More prompts to draw each concept in for statistics, one a line, with <TOK> for its words; for lines without it, refining keeps what the model predicts (default: as suits the model).",
    valueName: "file.txt"))
  var prompts: String?

  @Option(help: ArgumentHelp(
    "Train the fused layers so many steps for each concept, until they predict what each concept's own file does, and as many for all prompts of none (default: as suits the model).",
    valueName: "steps"))
  var refine: Int?

  @Option(help: ArgumentHelp("The learning rate of --refine (default: as suits the model).", valueName: "rate"))
  var refineLr: Double?

  @Option(name: [.customLong("textenc-iters"), .customLong("optimize-textenc-iters")],
    help: "lbfgs iterations for the text encoder and cross-attention keys and values.")
  var textencIters = FuseRequest().textIterations

  @Option(name: [.customLong("unet-iters"), .customLong("optimize-unet-iters")],
    help: "lbfgs iterations for the rest of the U-Net.")
  var unetIters = FuseRequest().unetIterations

  @Option(help: ArgumentHelp("A safetensors file with init_latents.<i>.", valueName: "file"))
  var latentsIn: String?

  @Option(name: .shortAndLong, help: "The seed of the pictures.")
  var seed: UInt64 = 0

  @Option(help: ArgumentHelp("Write residuals, times and memory.", valueName: "file.json"))
  var report: String?

  @Option(help: ArgumentHelp(
    "Draw each concept alone and fused on one sheet.", valueName: "file.png"))
  var sheet: String?

  @Option(help: ArgumentHelp(
    "Fail (status 3) when any relative residual is larger.", valueName: "residual"))
  var failAbove: Double?

  @OptionGroup(title: "Model") var model: ModelArguments
  @OptionGroup(title: "Adapters") var unmatched: UnmatchedArguments
  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Several processes") var cluster: ClusterArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func request() throws -> FuseRequest {
    var request = FuseRequest()
    request.model = unmatched.applied(to: model.options)
    request.compiler = try compiler.options(for: request.model)
    (request.inputs, request.output, request.fullModel) = (inputs, output, fullModel)
    request.statistics = stats
    (request.added, request.removed, request.reweighed) = (add, remove, reweigh)
    (request.method, request.rank, request.solver) = (merge, rank, solver)
    request.density = density
    request.matchesMixOfShow = compat == .mixOfShow
    (request.size, request.steps, request.seed) = (size, steps, seed)
    (request.textIterations, request.unetIterations) = (textencIters, unetIters)
    (request.refineSteps, request.refineRate) = (refine, refineLr)
    (request.prompts, request.latentsIn) = (prompts, latentsIn)
    (request.report, request.sheet, request.failAbove) = (report, sheet, failAbove)
    return request
  }

  func run() throws {
    let reporter = try log.reporter()
    let request = try request()
    try cluster.lead(reporter, { try FusionFollower(request, reporter, $0).run() }) {
      try FuseJob(request, reporter, $0).run()
    }
  }
}
