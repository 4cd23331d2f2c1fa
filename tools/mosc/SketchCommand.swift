import ArgumentParser
import MoscDriver
import MoscFormats

struct SketchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sketch",
    abstract: "Draw the edges of a picture, as a condition for sketch adapters.",
    discussion: """
      Lines are white on black, in the size of the picture. Contrasts are those of a step between \
      two flat areas, 1 from black to white.
      """)

  @Argument(help: ArgumentHelp("A PNG or JPEG file.", valueName: "image"))
  var image: String

  @Option(name: .shortAndLong, help: ArgumentHelp("The sketch, a PNG file.", valueName: "file"))
  var output = "sketch.png"

  @Option(help: "The contrast from which an edge is drawn, 0…1.")
  var high = SketchExtractor().high

  @Option(help: "The contrast down to which a drawn edge continues, 0…1.")
  var low = SketchExtractor().low

  @Option(help: ArgumentHelp("Blur before looking for edges: more leaves out detail.",
    valueName: "pixels"))
  var blur = SketchExtractor().blur

  @Option(help: ArgumentHelp("Standard deviation of a line's profile.", valueName: "pixels"))
  var lineWidth = SketchExtractor().lineWidth

  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    let extractor = SketchExtractor(blur: blur, low: low, high: high, lineWidth: lineWidth)
    let job = SketchJob(image, output: output, extractor)
    try perform(reporter) { try job.run() }
  }
}
