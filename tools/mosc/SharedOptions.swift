import ArgumentParser
import MoscDriver

/// Messages and progress.
struct LogOptions: ParsableArguments {
  @Flag(name: .shortAndLong, help: "Say more; twice for everything.")
  var verbose: Int

  @Flag(name: .shortAndLong, help: "Say nothing but warnings and errors.")
  var quiet = false

  @Option(help: ArgumentHelp("Messages as text or json lines.", valueName: "text|json"))
  var logFormat = "text"

  func reporter() throws -> Reporter {
    guard let format = LogFormat(rawValue: logFormat) else {
      throw ValidationError("--log-format '\(logFormat)': expected 'text' or 'json'")
    }
    let verbosity: Verbosity = quiet ? .quiet : verbose > 1 ? .debug : verbose == 1 ? .verbose : .normal
    return Reporter(verbosity: verbosity, format: format)
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
    help: ArgumentHelp("Arithmetic (default: bf16 where the processor has it, else f32).",
      valueName: "f32|bf16"))
  var type: String?

  func options() throws -> ModelOptions {
    var options = ModelOptions(path: model)
    if let type {
      guard let precision = Precision(spelling: type) else {
        let known = Precision.allCases.map { "'\($0.rawValue)'" }.joined(separator: " or ")
        throw ValidationError("--type '\(type)': expected \(known)")
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

  @Option(help: ArgumentHelp("The folder of the kernel cache.", valueName: "folder"))
  var cacheDir: String?

  @Flag(help: "Neither read nor write the kernel cache.")
  var noCache = false

  @Option(help: ArgumentHelp("Print the module after this pass (repeatable).", valueName: "pass"))
  var printAfter: [String] = []

  @Flag(help: "Print the module after every pass.")
  var printAfterAll = false

  @Option(help: ArgumentHelp("Write the module after each pass into this folder.",
    valueName: "folder"))
  var dumpDir: String?

  @Flag(help: "Print the time each pass takes.")
  var timePasses = false

  @Flag(help: "Verify the module after every pass.")
  var verifyEach = false

  func options() throws -> CompilationOptions {
    if let threads, threads < 1 {
      throw ValidationError("--threads \(threads): expected at least 1")
    }
    var options = CompilationOptions()
    options.threads = threads
    options.cpu = mcpu
    options.cacheFolder = cacheDir
    options.usesCache = !noCache
    options.printAfter = printAfter
    options.printsAfterAll = printAfterAll
    options.dumpFolder = dumpDir
    options.timesPasses = timePasses
    options.verifiesEach = verifyEach
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
