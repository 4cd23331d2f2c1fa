import ArgumentParser
import MoscDriver

struct GridCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "grid", abstract: "Put pictures with titles on one sheet.",
    discussion: "mosc grid --column alone --column fused --row 'cat=cat1.png,cat2.png' -o sheet.png")

  @Option(help: ArgumentHelp("A row of pictures (repeatable).", valueName: "title=file,file,…"))
  var row: [String] = []

  @Option(help: ArgumentHelp("The title of the next column (repeatable).", valueName: "text"))
  var column: [String] = []

  @Option(help: ArgumentHelp("What stands above everything.", valueName: "text"))
  var title = ""

  @Option(name: .shortAndLong, help: ArgumentHelp(
    "The sheet: a .png, .jpg or .webp file, or a folder (default: grid-0000.png here, and so on).",
    valueName: "file|folder/"))
  var output = GridRequest().output

  @Option(help: "How many times larger pictures are shown.")
  var scale = GridRequest().scale

  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    var request = GridRequest()
    (request.rows, request.columns, request.title) = (row, column, title)
    (request.output, request.scale) = (output, scale)
    try perform(reporter) { try GridJob(request, reporter).run() }
  }
}
