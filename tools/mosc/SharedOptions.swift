import ArgumentParser
import MoscDriver
import MoscEngine
import MoscNetworks
import MoscReport

/// Messages and progress.
struct LogOptions: ParsableArguments {
  @Flag(name: .shortAndLong, help: "Say more; twice for everything.")
  var verbose: Int

  @Flag(name: .shortAndLong, help: "Say nothing but errors; names of results stay.")
  var quiet = false

  @Option(help: ArgumentHelp("Messages as text or json lines.", valueName: "format"))
  var logFormat = LogFormat.text

  @Option(help: ArgumentHelp("Write when phases, passes and steps ran, for chrome://tracing.",
    valueName: "file.json"))
  var timeTrace: String?

  func reporter() throws -> Reporter {
    let verbosity: Verbosity = quiet ? .quiet : verbose > 1 ? .debug : verbose == 1 ? .verbose : .normal
    var trace: TimeTrace?
    if let timeTrace {
      do {
        trace = try TimeTrace(timeTrace)
      } catch {
        throw ValidationError("--time-trace \(error)")
      }
    }
    return Reporter(verbosity: verbosity, format: logFormat, trace: trace)
  }
}

/// The model and its arithmetic.
struct ModelArguments: ParsableArguments {
  @Option(
    name: [.short, .long, .customLong("ckpt"), .customLong("pretrained-model-name-or-path")],
    help: ArgumentHelp(
      "A model: a .safetensors or .ckpt file, a folder in diffusers layout, or ORGANISATION/NAME in "
        + "the hub's cache (default: the embedded model).",
      valueName: "file|folder"))
  var model: String?

  @Option(help: ArgumentHelp("An autoencoder in place of the model's own.", valueName: "file|folder"))
  var vae: String?

  @Option(
    name: [.customLong("type"), .customLong("precision")],
    help: ArgumentHelp(
      "Arithmetic (default: bf16 where the processor has it, else f32). int8 rounds the factors of the "
        + "U-Net's layers to 8 bits, with a scale per token and channel: faster, less exact, and "
        + "less memory; not for training.",
      valueName: "type"))
  var type: Precision?

  var options: ModelOptions {
    var options = ModelOptions(path: model, precision: type)
    options.vae = vae
    return options
  }
}

/// Tensors of adapters without a place.
struct UnmatchedArguments: ParsableArguments {
  @Flag(help: "Leave out tensors of an adapter that fit no layer, rather than refuse it.")
  var allowUnmatched = false

  func applied(to options: ModelOptions) -> ModelOptions {
    var options = options
    options.adapters.allowsUnmatched = allowUnmatched
    return options
  }
}

/// Adapter files.
struct AdapterFileArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "An adapter or concept file, with strengths for text encoder and U-Net (repeatable).",
      valueName: "file[:te[:unet]]"))
  var lora: [AdapterRequest] = []

  @OptionGroup var unmatched: UnmatchedArguments

  func applied(to options: ModelOptions) -> ModelOptions {
    var options = unmatched.applied(to: options)
    options.adapters.files = lora
    return options
  }
}

/// Adapters of pictures that are drawn.
struct AdapterArguments: ParsableArguments {
  @OptionGroup var files: AdapterFileArguments

  @Option(name: [.long, .customLong("lora-dir")],
    help: ArgumentHelp("Where <lora:name:strength> in a prompt looks.", valueName: "folder"))
  var loraModelDir: String?

  @Option(name: [.long, .customLong("embeddings-dir")],
    help: ArgumentHelp(
      "Where embeddings (textual inversion) are that a prompt names: 'name' or 'embedding:name'.",
      valueName: "folder"))
  var embdDir: String?

  @Option(
    help: ArgumentHelp(
      "Merge adapters into the weights, or compute them beside the layers.",
      valueName: "mode"))
  var loraMode = AdapterOptions.Mode.fold

  func applied(to options: ModelOptions) -> ModelOptions {
    var options = files.applied(to: options)
    (options.adapters.folder, options.adapters.mode) = (loraModelDir, loraMode)
    options.adapters.embeddingFolder = embdDir
    return options
  }
}

/// How kernels are compiled and what is shown on the way.
struct CompilerArguments: ParsableArguments {
  @Option(name: .shortAndLong, help: "Threads (default: the physical cores).")
  var threads: Int?

  @Option(help: ArgumentHelp("The processor to compile for.", valueName: "native|NAME"))
  var mcpu = "native"

  @Option(help: ArgumentHelp("The folder of the cache of kernels and packed weights.", valueName: "folder"))
  var cacheDir: String?

  @Flag(help: "Neither read nor write the cache.")
  var noCache = false

  @Option(name: .customShort("O", allowingJoined: true),
    help: ArgumentHelp(
      "How much is done to make code fast: 0 for nothing, 1 to fuse kernels, 2 (the default), 3 for all of LLVM's.",
      valueName: "level", visibility: .hidden), transform: listed)
  var level = OptimisationLevel.usual

  @Option(parsing: .unconditional,
    help: ArgumentHelp(
      "LLVM features to add or leave out, such as -avx512f.", valueName: "+a,-b",
      visibility: .hidden))
  var mattr = ""

  @Flag(name: [.customShort("g"), .long],
    help: ArgumentHelp("Show kernels and the lines of their ops to gdb and perf.", visibility: .hidden))
  var debugInfo = false

  @Option(help: ArgumentHelp(
    "Keep every kernel as text in this folder, for 'replay compare'.", valueName: "folder",
    visibility: .hidden))
  var record: String?

  @Option(help: ArgumentHelp(
    "Where to write the module when compilation fails.", valueName: "file.mos",
    visibility: .hidden))
  var reproducer: String?

  @Option(help: ArgumentHelp(
    "Print the module before this pass (repeatable).", valueName: "pass", visibility: .hidden))
  var printBefore: [String] = []

  @Flag(help: ArgumentHelp("Print the module before every pass.", visibility: .hidden))
  var printBeforeAll = false

  @Option(help: ArgumentHelp(
    "Print the module after this pass (repeatable).", valueName: "pass", visibility: .hidden))
  var printAfter: [String] = []

  @Flag(help: ArgumentHelp("Print the module after every pass.", visibility: .hidden))
  var printAfterAll = false

  @Option(help: ArgumentHelp(
    "Print what passes changed: the module, or the lines that differ.", valueName: "module|diff", visibility: .hidden),
    transform: listed)
  var printChanged: ChangePrinter.Style?

  @Flag(help: ArgumentHelp("List the passes before they run.", visibility: .hidden))
  var printPipeline = false

  @Option(help: ArgumentHelp(
    "Run only so many optional passes on each module, to find the one that breaks it.", valueName: "count", visibility: .hidden))
  var optBisectLimit: Int?

  @Option(help: ArgumentHelp(
    "Print remarks whose ids match: why something was not done.", valueName: "regex", visibility: .hidden))
  var remarks: String?

  @Flag(help: ArgumentHelp("Print the passes' counters.", visibility: .hidden))
  var passStatistics = false

  @Option(help: ArgumentHelp(
    "Write the module after each pass into this folder.", valueName: "folder", visibility: .hidden))
  var dumpDir: String?

  @Flag(help: ArgumentHelp("Print the time each pass takes.", visibility: .hidden))
  var timePasses = false

  @Flag(help: ArgumentHelp("Verify the module after every pass.", visibility: .hidden))
  var verifyEach = false

  @Option(help: ArgumentHelp(
    "Leave this pass out (repeatable).", valueName: "pass", visibility: .hidden))
  var disablePass: [String] = []

  func validate() throws {
    try check("threads", threads, least: 1)
    try check("opt-bisect-limit", optBisectLimit, least: 0)
  }

  /// The options for programs of a model.
  func options(for model: ModelOptions) throws -> CompilationOptions {
    var options = try options()
    if model.adapters.mode == .runtime { options.disabledPasses.insert(PassPipeline.adapterFolding) }
    return options
  }

  func options() throws -> CompilationOptions {
    var options = CompilationOptions()
    (options.threads, options.cpu, options.attributes) = (threads, mcpu, mattr)
    (options.level, options.hasDebugInfo) = (level, debugInfo)
    (options.cacheFolder, options.usesCache) = (cacheDir, !noCache)
    (options.bisectLimit, options.verifiesEach) = (optBisectLimit, verifyEach)
    options.disabledPasses = try PassPipeline.removable(disablePass)
    options.shows = observation
    return options
  }

  private var observation: Observation {
    var shows = Observation()
    (shows.recordFolder, shows.reproducer, shows.dumpFolder) = (record, reproducer, dumpDir)
    (shows.printBefore, shows.printsBeforeAll) = (printBefore, printBeforeAll)
    (shows.printAfter, shows.printsAfterAll) = (printAfter, printAfterAll)
    (shows.printsChanges, shows.printsPipeline) = (printChanged, printPipeline)
    (shows.remarks, shows.printsStatistics, shows.timesPasses) = (remarks, passStatistics, timePasses)
    return shows
  }
}

/// What a network is compiled for.
struct ShapeArguments: ParsableArguments {
  @Option(help: ArgumentHelp("The latent size, height first as in tensor shapes.", valueName: "HxW"))
  var latent = NetworkShape().latent

  @Option(help: "Samples at a time.")
  var batch = NetworkShape().batch

  @Option(help: "Regions of the U-Net, beside the picture's own prompt.")
  var regions = NetworkShape().regions

  func validate() throws {
    try check("batch", batch, least: 1, largest: 1024)
    try check("regions", regions, least: 0, largest: 64)
    for extent in [latent.height, latent.width] {
      try check("latent", extent, least: 1, largest: 4096)
    }
  }

  var shape: NetworkShape {
    var shape = NetworkShape()
    (shape.latent, shape.batch, shape.regions) = (latent, batch, regions)
    return shape
  }
}
