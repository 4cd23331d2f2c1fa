import ArgumentParser
import MoscDriver
import MoscModel
import MoscNetworks
import MoscReport

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Time a component on made-up inputs.")

  @Argument(help: "A network of the model.")
  var component: ComponentKind

  @Option(help: "Timed runs, after one that is not counted.")
  var runs = 5

  @Flag(help: "Print one JSON line.")
  var json = false

  @Flag(help: "Show the time of each kernel, its work and how near it is to the machine's best.")
  var profile = false

  @Option(help: ArgumentHelp("Write a page to walk through the program, its kernels and their times.",
    valueName: "file.html"))
  var explore: String?

  @Option(help: ArgumentHelp(
    "Give each region a made-up adapter of this rank, and time it in turns with the U-Net without regions.",
    valueName: "rank"))
  var regionRank: Int?

  @OptionGroup(title: "Shape") var shape: ShapeArguments
  @OptionGroup(title: "Model") var model: ModelArguments
  @OptionGroup(title: "Adapters", visibility: .hidden) var adapters: AdapterArguments
  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func validate() throws {
    try check("runs", runs, least: 1)
    guard let regionRank else { return }
    try check("region-rank", regionRank, least: 1, largest: 1024)
    if component != .unet || shape.regions == 0 {
      throw ValidationError("--region-rank is for the U-Net with --regions")
    }
  }

  func run() throws {
    let reporter = try log.reporter()
    var request = BenchRequest(component)
    request.shape = shape.shape
    request.model = adapters.applied(to: model.options)
    request.compiler = try compiler.options(for: request.model)
    (request.runs, request.printsJSON) = (runs, json)
    (request.profiles, request.explorer) = (profile, explore)
    request.regionRank = regionRank
    let job = BenchJob(request, reporter)
    try perform(reporter) { try StandardOutput.print(try job.run()) }
  }
}
