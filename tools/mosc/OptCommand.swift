import ArgumentParser
import MoscDriver
import MoscReport

struct OptCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "opt", abstract: "Read a .mos file, run passes on it, print it.")

  @Argument(help: ArgumentHelp("A .mos file ('-' for standard input).", valueName: "file.mos"))
  var input = "-"

  @Option(help: ArgumentHelp("Passes in order, such as canonicalise,fuse.", valueName: "list"))
  var passes = ""

  @Flag(help: "List the passes and the standard pipeline.")
  var listPasses = false

  @Option(name: .shortAndLong, help: ArgumentHelp("Where to ('-' for standard output).",
    valueName: "file"))
  var output = "-"

  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    if listPasses {
      try perform(reporter) { try StandardOutput.print(OptJob.passList) }
      return
    }
    var request = OptRequest(input)
    request.passes = passes
    request.compiler = try compiler.options()
    request.output = output
    let job = OptJob(request, reporter)
    try perform(reporter) { try job.run() }
  }
}
