import ArgumentParser
import MoscDriver
import MoscNetworks

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Say what is in a model folder, a .safetensors file, a .png or a .mos file.")

  @Argument(help: ArgumentHelp("A folder or file (default: the embedded model).",
    valueName: "path"))
  var path: String?

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
      return try perform(reporter) { print(try Inspection(path).text) }
    }
    let settings = try prompts.settings
    try perform(reporter) {
      let found = try PromptInspection(
        prompt, ModelOptions(path: path), settings, steps: steps)
      print(found.text)
    }
  }
}
