import ArgumentParser
import MoscDriver

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Say what is in a model folder, a .safetensors file, a .png or a .mos file.")

  @Argument(help: ArgumentHelp("A folder or file (default: the embedded model).",
    valueName: "path"))
  var path: String?

  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    try perform(reporter) { print(try Inspection(path).text) }
  }
}
