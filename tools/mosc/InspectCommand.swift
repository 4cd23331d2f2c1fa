import ArgumentParser
import MoscDriver
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

  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    try perform(reporter) {
      for path in paths.isEmpty ? [String?.none] : paths.map(Optional.some) {
        let finding = try Inspection.finding(path)
        try StandardOutput.print(
          json ? "\(finding.json(withTensors: tensors))" : finding.text(withTensors: tensors))
      }
    }
  }
}
