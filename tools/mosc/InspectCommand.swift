import ArgumentParser
import MoscInspect
import MoscNetworks
import MoscReport

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Say what a file or folder is: models, adapters, pictures, modules, states, logs.",
    discussion: """
      Everything that mosc reads or writes is known by its content. For adapters it tells family, rank, \
      words and the model they fit; for pictures the settings they were drawn with; and for all of them the \
      commands that take them.
      """)

  @Argument(help: ArgumentHelp("Files and folders (default: the embedded model).", valueName: "path"))
  var paths: [String] = []

  @Flag(help: "List every tensor.")
  var tensors = false

  @Flag(help: "Print one JSON object a line.")
  var json = false

  @Option(
    parsing: .unconditional,
    help: "Say what a prompt becomes with the tokens of the model: parts, steps, chunks, weights.")
  var prompt: String?

  @Option(help: "The steps that the schedules of --prompt are for.")
  var steps = 20

  @OptionGroup(title: "Prompts") var prompts: PromptArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    guard let prompt else {
      return try perform(reporter) {
        for path in paths.isEmpty ? [String?.none] : paths.map(Optional.some) {
          let finding = try Inspection.finding(path)
          try StandardOutput.print(
            json ? "\(finding.json(withTensors: tensors))" : finding.text(withTensors: tensors))
        }
      }
    }
    guard paths.count <= 1 else { throw ValidationError("--prompt reads one model, found \(paths.count)") }
    let settings = try prompts.settings
    try perform(reporter) {
      let found = try PromptInspection(
        prompt, ModelOptions(path: paths.first), settings, steps: steps)
      try StandardOutput.print(found.text)
    }
  }
}
