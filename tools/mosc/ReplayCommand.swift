import ArgumentParser
import MoscDriver

struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Record all kernels of a run as text, and compare them with those of another build.",
    subcommands: [ReplayRecordCommand.self, ReplayCompareCommand.self])
}

struct ReplayRecordCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "record", abstract: "Run a command of mosc and keep the kernels that it compiles.")

  @Argument(help: ArgumentHelp("A new or empty folder.", valueName: "folder"))
  var folder: String

  @Argument(parsing: .captureForPassthrough,
    help: ArgumentHelp("A command that compiles, such as sample, with its arguments.",
      valueName: "command"))
  var command: [String] = []

  func run() throws {
    guard !command.isEmpty else {
      throw ValidationError("expected a command after the folder, such as 'compile unet'")
    }
    try perform(try LogOptions.parse([]).reporter()) { try ReplayJob.checkEmpty(folder) }
    var recorded = try Mosc.parseAsRoot(command + ["--record", folder])
    try recorded.run()
  }
}

struct ReplayCompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Compile the programs of a recording again; exit with 1 if kernels differ.")

  @Argument(help: ArgumentHelp("The folder of the recording.", valueName: "folder"))
  var folder: String

  @Option(help: "The most differences that are shown per program.")
  var limit = ReplayRequest("").limit

  @OptionGroup(title: "Messages") var log: LogOptions

  func validate() throws { try check("limit", limit, least: 0) }

  func run() throws {
    let reporter = try log.reporter()
    var request = ReplayRequest(folder)
    request.limit = limit
    let job = ReplayJob(request, reporter)
    try perform(reporter) { try job.run() }
  }
}
