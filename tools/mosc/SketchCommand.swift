import ArgumentParser
import MoscDriver

struct SketchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sketch",
    abstract: "Draw the edges of a picture, as a condition for sketch adapters.",
    discussion: """
      Lines are white on black, in the size of the picture. Contrasts are those of a step between \
      two flat areas, 1 from black to white.
      """)

  @Argument(help: ArgumentHelp("A PNG, JPEG or WebP file.", valueName: "image"))
  var image: String

  @Option(name: .shortAndLong, help: ArgumentHelp(
    "The sketch: a .png, .jpg or .webp file, or a folder (default: sketch-0000.png here, and so on).",
    valueName: "file|folder/"))
  var output = SketchRequest().output

  @Option(help: "The contrast from which an edge is drawn, 0…1.")
  var high = SketchRequest().high

  @Option(help: "The contrast down to which a drawn edge continues, 0…1.")
  var low = SketchRequest().low

  @Option(help: ArgumentHelp("Blur before looking for edges: more leaves out detail.",
    valueName: "pixels"))
  var blur = SketchRequest().blur

  @Option(help: ArgumentHelp("Standard deviation of a line's profile.", valueName: "pixels"))
  var lineWidth = SketchRequest().lineWidth

  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    var request = SketchRequest(image, output: output)
    (request.blur, request.low, request.high, request.lineWidth) = (blur, low, high, lineWidth)
    let job = SketchJob(request, reporter)
    try perform(reporter) { try job.run() }
  }
}
