import ArgumentParser
import MoscDriver
import MoscEngine
import MoscNetworks
import MoscReport

/// Messages and progress.
struct LogOptions: ParsableArguments {
  @Flag(name: .shortAndLong, help: "Say more; twice for everything.")
  var verbose: Int

  @Flag(name: .shortAndLong, help: "Say nothing but warnings and errors.")
  var quiet = false

  @Option(help: ArgumentHelp("Messages as text or json lines.", valueName: "text|json"))
  var logFormat = "text"

  @Option(help: ArgumentHelp("Write when phases, passes and steps ran, for chrome://tracing.",
    valueName: "file.json"))
  var timeTrace: String?

  func reporter() throws -> Reporter {
    guard let format = LogFormat(rawValue: logFormat) else {
      throw ValidationError("--log-format '\(logFormat)': expected 'text' or 'json'")
    }
    let verbosity: Verbosity = quiet ? .quiet : verbose > 1 ? .debug : verbose == 1 ? .verbose : .normal
    var trace: TimeTrace?
    if let timeTrace {
      do {
        trace = try TimeTrace(timeTrace)
      } catch {
        throw ValidationError("--time-trace \(error)")
      }
    }
    return Reporter(verbosity: verbosity, format: format, trace: trace)
  }
}

/// The model and its arithmetic.
struct ModelArguments: ParsableArguments {
  @Option(
    name: [.short, .long, .customLong("ckpt"), .customLong("pretrained-model-name-or-path")],
    help: ArgumentHelp("A model folder in diffusers layout (default: the embedded model).",
      valueName: "folder"))
  var model: String?

  @Option(
    name: [.customLong("type"), .customLong("precision")],
    help: ArgumentHelp(
      "Arithmetic (default: bf16 where the processor has it, else f32). int8 rounds the factors of the "
        + "U-Net's layers to 8 bits, with a scale per token and channel: faster, less exact, and "
        + "less memory; not for training.",
      valueName: "f32|bf16|int8"))
  var type: String?

  @Option(
    help: ArgumentHelp(
      "An adapter or concept file, with strengths for text encoder and U-Net (repeatable).",
      valueName: "file[:te[:unet]]"))
  var lora: [String] = []

  @Option(name: [.long, .customLong("lora-dir")],
    help: ArgumentHelp("Where <lora:name:strength> in a prompt looks.", valueName: "folder"))
  var loraModelDir: String?

  @Option(
    help: ArgumentHelp(
      "Merge adapters into the weights, or compute them beside the layers.",
      valueName: "fold|runtime"))
  var loraMode = "fold"

  @Flag(help: "Leave out tensors of an adapter that fit no layer, rather than refuse it.")
  var allowUnmatched = false

  func options() throws -> ModelOptions {
    var options = ModelOptions(path: model)
    options.adapters.files = try lora.map { text in
      guard let request = AdapterRequest(text) else {
        throw ValidationError("--lora '\(text)': expected FILE, FILE:strength or FILE:te:unet")
      }
      return request
    }
    options.adapters.folder = loraModelDir
    guard let mode = AdapterOptions.Mode(rawValue: loraMode) else {
      throw ValidationError("--lora-mode '\(loraMode)': expected 'fold' or 'runtime'")
    }
    options.adapters.mode = mode
    options.adapters.allowsUnmatched = allowUnmatched
    if let type {
      guard let precision = Precision(spelling: type) else {
        let known = Precision.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
        throw ValidationError("--type '\(type)': expected one of \(known)")
      }
      options.precision = precision
    }
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
      "How much is done to make code fast: 0 for nothing, 1 to fuse kernels, 2, 3 for all of LLVM's.",
      valueName: "level", visibility: .hidden))
  var level = OptimisationLevel.usual.rawValue

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
    "Print what passes changed: the module, or the lines that differ.", valueName: "module|diff", visibility: .hidden))
  var printChanged: String?

  @Flag(help: ArgumentHelp("List the passes before they run.", visibility: .hidden))
  var printPipeline = false

  @Option(help: ArgumentHelp(
    "Run only so many optional passes on each module, to find the one that breaks it.", valueName: "count", visibility: .hidden))
  var optBisectLimit: Int?

  @Option(help: ArgumentHelp(
    "Print remarks whose ids match: why something was not done.", valueName: "regex", visibility: .hidden))
  var remarks: String?

  @Flag(help: ArgumentHelp("Print the passes' counters.", visibility: .hidden))
  var stats = false

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

  /// The options for programs of a model.
  func options(for model: ModelOptions) throws -> CompilationOptions {
    var options = try options()
    if model.adapters.mode == .runtime { options.disabledPasses.insert(AdapterOptions.foldingPass) }
    return options
  }

  func options() throws -> CompilationOptions {
    if let threads, threads < 1 {
      throw ValidationError("--threads \(threads): expected at least 1")
    }
    var options = CompilationOptions()
    options.threads = threads
    (options.cpu, options.attributes) = (mcpu, mattr)
    guard let level = OptimisationLevel(rawValue: level) else {
      throw ValidationError("-O\(level): expected -O0, -O1, -O2 or -O3")
    }
    (options.level, options.reproducer) = (level, reproducer)
    (options.hasDebugInfo, options.recordFolder) = (debugInfo, record)
    options.cacheFolder = cacheDir
    options.usesCache = !noCache
    (options.printBefore, options.printsBeforeAll) = (printBefore, printBeforeAll)
    options.printAfter = printAfter
    options.printsAfterAll = printAfterAll
    options.printsChanges = try printChanged.map { text in
      guard let style = ChangePrinter.Style(rawValue: text) else {
        throw ValidationError("--print-changed '\(text)': expected 'module' or 'diff'")
      }
      return style
    }
    options.printsPipeline = printPipeline
    if let optBisectLimit, optBisectLimit < 0 {
      throw ValidationError("--opt-bisect-limit \(optBisectLimit): expected at least 0")
    }
    options.bisectLimit = optBisectLimit
    (options.remarks, options.printsStatistics) = (remarks, stats)
    options.dumpFolder = dumpDir
    options.timesPasses = timePasses
    options.verifiesEach = verifyEach
    options.disabledPasses = try PassPipeline.removable(disablePass)
    return options
  }
}

/// The extent of the latent picture.
struct LatentArguments: ParsableArguments {
  @Option(help: ArgumentHelp("The latent size, height first as in tensor shapes.",
    valueName: "HxW"))
  var latent = "64x64"

  @Option(help: "Samples at a time.")
  var batch = 2

  func extent() throws -> (height: Int, width: Int) {
    guard let size = PictureSize(latent) else {
      throw ValidationError("--latent '\(latent)': expected two numbers such as 64x64")
    }
    if batch < 1 { throw ValidationError("--batch \(batch): expected at least 1") }
    return (size.width, size.height)
  }
}
