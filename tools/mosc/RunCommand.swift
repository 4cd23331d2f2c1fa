import ArgumentParser
import MoscDriver

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run a component of a model, or a .mos file, on given tensors.",
    discussion: """
      Components: text_encoder, unet, vae_encoder, vae_decoder, t2i_adapter (-m FILE), scheduler, train_step (--lora FILE), fuse_layer (--solver). Tensors have diffusers' \
      names and layouts: sample [n,4,h,w], timestep, encoder_hidden_states [n,77,c], noise_pred; \
      input_ids, last_hidden_state; latents, image [n,3,h,w] in -1…1, moments; of t2i_adapter image in 0…1 and map0…map3.
      """)

  @Argument(help: ArgumentHelp("A component or a .mos file.", valueName: "component|file.mos"))
  var target: String

  @Option(name: [.customLong("in"), .customLong("input"), .short],
    help: ArgumentHelp("Input tensors.", valueName: "file"))
  var input: String

  @Option(name: [.customLong("out"), .customLong("output"), .short],
    help: ArgumentHelp("Result tensors.", valueName: "file"))
  var output: String

  @Option(help: "The function of a .mos file (default: its first).")
  var function: String?

  @Flag(help: "Run the slow reference evaluator in place of compiled code.")
  var evaluate = false

  @Option(name: [.customLong("sampling-method"), .customLong("sampler")],
    help: ArgumentHelp("The sampler of 'run scheduler'.", valueName: "name"))
  var sampler: String?

  @Option(
    help: ArgumentHelp(
      "The noise levels of 'run scheduler'.", valueName: "default|karras|exponential"))
  var scheduler: String?

  @Option(name: [.long, .customLong("num-inference-steps")],
    help: "The steps of 'run scheduler'.")
  var steps: Int?

  @Option(
    help: ArgumentHelp("The solver of 'run fuse_layer'.", valueName: "lbfgs|ridge|min-norm"))
  var solver: String?

  @OptionGroup(title: "Model") var model: ModelArguments
  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    var request = RunRequest(target, input: input, output: output)
    request.model = try model.options()
    request.compiler = try compiler.options(for: request.model)
    request.function = function
    request.usesEvaluator = evaluate
    request.sampler = sampler
    request.schedule = scheduler
    request.steps = steps
    request.solver = solver
    let job = RunJob(request, reporter)
    try perform(reporter) { try job.run() }
  }
}
