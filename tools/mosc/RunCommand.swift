import ArgumentParser
import MoscDiffusion
import MoscDriver
import MoscFuse
import MoscPrompts

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run a component of a model, or a .mos file, on given tensors.",
    discussion: """
      t2i_adapter is the file of -m, train_step trains the concept of --lora, fuse_layer and scheduler \
      take the options that name them. Tensors have diffusers' names and layouts: sample [n,4,h,w], \
      timestep, encoder_hidden_states [n,77,c], noise_pred; input_ids, last_hidden_state; latents, \
      image [n,3,h,w] in -1…1, moments; of t2i_adapter image in 0…1 and map0…map3. prompts answers the       recorded questions of a JSON file.
      """)

  @Argument(help: ArgumentHelp(
    "What to run ('-' for a .mos file from standard input).", valueName: "component|file.mos"))
  var target: RunTarget

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
  var sampler: SamplerName.Choice?

  @Option(
    help: ArgumentHelp("The spacing of noise levels of 'run scheduler'.", valueName: "spacing"))
  var scheduler: SchedulerConfig.Levels?

  @Option(name: [.long, .customLong("num-inference-steps")],
    help: "The steps of 'run scheduler'.")
  var steps: Int?

  @Option(
    help: ArgumentHelp("The part of the language of 'run prompts'.", valueName: "kind"))
  var kind: PromptRecords.Kind?

  @Option(help: "The solver of 'run fuse_layer'.")
  var solver = FusionSolver.lbfgs

  @OptionGroup(title: "Model") var model: ModelArguments
  @OptionGroup(title: "Adapters") var adapters: AdapterArguments
  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    var request = RunRequest(target, input: input, output: output)
    request.model = adapters.applied(to: model.options)
    request.compiler = try compiler.options(for: request.model)
    (request.function, request.usesEvaluator) = (function, evaluate)
    (request.sampler, request.levels, request.steps) = (sampler, scheduler, steps)
    (request.solver, request.promptKind) = (solver, kind)
    let job = RunJob(request, reporter)
    try perform(reporter) { try job.run() }
  }
}
