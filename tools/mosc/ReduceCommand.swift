import ArgumentParser
import MoscDriver

struct ReduceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reduce",
    abstract: "Make a .mos file small that makes passes fail or compute something else.")

  @Argument(help: ArgumentHelp("A .mos file ('-' for standard input).", valueName: "file.mos"))
  var input = "-"

  @Option(help: ArgumentHelp("Passes in order, such as canonicalise,fuse.", valueName: "list"))
  var passes = ""

  @Option(help: ArgumentHelp("Keep an error whose message contains this.", valueName: "error: …"))
  var keep: String?

  @Flag(help: "Keep that results differ from those before the passes, by the reference evaluator.")
  var keepMismatch = false

  @Option(help: "The relative difference of results that counts.")
  var tolerance = ReduceRequest("-").tolerance

  @Option(name: .shortAndLong, help: ArgumentHelp("Where to ('-' for standard output).",
    valueName: "file"))
  var output = "-"

  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    var request = ReduceRequest(input)
    (request.passes, request.error, request.keepsMismatch) = (passes, keep, keepMismatch)
    (request.tolerance, request.output) = (tolerance, output)
    request.compiler = try compiler.options()
    let job = ReduceJob(request, reporter)
    try perform(reporter) { try job.run() }
  }
}
