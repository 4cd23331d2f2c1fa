import ArgumentParser
import MoscDriver

struct FuzzCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fuzz",
    abstract: "Compile random functions and compare them with the reference evaluator.")

  @Option(help: "The first seed; each makes one function.")
  var seed: UInt64 = 0

  @Option(help: "Functions.")
  var count = FuzzRequest().count

  @Option(name: .shortAndLong,
    help: ArgumentHelp("Where to write functions that show a difference.", valueName: "folder"))
  var output: String?

  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func validate() throws { try check("count", count, least: 1) }

  func run() throws {
    let reporter = try log.reporter()
    var request = FuzzRequest()
    (request.seed, request.count, request.folder) = (seed, count, output)
    request.compiler = try compiler.options()
    let job = FuzzJob(request, reporter)
    try perform(reporter) { try job.run() }
  }
}
