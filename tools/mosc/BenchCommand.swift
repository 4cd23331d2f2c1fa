import ArgumentParser
import MoscDriver

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Time a component on made-up inputs.")

  @Argument(help: ArgumentHelp("unet, vae_decoder or text_encoder.", valueName: "component"))
  var component: String

  @Option(help: "Timed runs, after one that is not counted.")
  var runs = 5

  @Option(help: "Regions of the U-Net, side by side.")
  var regions = 0

  @Flag(help: "Print one JSON line.")
  var json = false

  @Flag(help: "Show the time of each kernel, its work and how near it is to the machine's best.")
  var profile = false

  @Option(help: ArgumentHelp("Write a page to walk through the program, its kernels and their times.",
    valueName: "file.html"))
  var explore: String?

  @OptionGroup(title: "Shape") var latent: LatentArguments
  @OptionGroup(title: "Model") var model: ModelArguments
  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    if runs < 1 { throw ValidationError("--runs \(runs): expected at least 1") }
    var request = BenchRequest(component)
    (request.latentHeight, request.latentWidth) = try latent.extent()
    request.batch = latent.batch
    request.runs = runs
    guard 0...64 ~= regions else {
      throw ValidationError("--regions \(regions): expected a number from 0 to 64")
    }
    request.regions = regions
    request.printsJSON = json
    request.profiles = profile
    request.explorer = explore
    request.model = try model.options()
    request.compiler = try compiler.options(for: request.model)
    let job = BenchJob(request, reporter)
    try perform(reporter) { print(try job.run()) }
  }
}
