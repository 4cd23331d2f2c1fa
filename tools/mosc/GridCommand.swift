import ArgumentParser
import MoscCommandLines
import MoscDriver
import MoscReport
import MoscSample

struct GridCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "grid", abstract: "Draw a picture for each combination of options, or put pictures on one sheet.",
    discussion: """
      mosc grid --x steps=4,8,20 --y 'cfg-scale=1-7(+3)' -p 'a fox' -s 1 -o sheet.png

      An axis is any option of mosc sample; what it has in common with the others follows as for mosc sample. \
      Values are a list, ranges such as 1-5, 1-10(+3) and 0-1[5], or a|b|c: then a is replaced in the option's \
      value by each ('prompt=cat|dog', 'region=weight=1|weight=0.5'). Flags are on or off. What stands in double \
      quotes is one value.

      mosc grid --column alone --column fused --row 'cat=cat1.png,cat2.png' -o sheet.png
      """)

  @Option(help: ArgumentHelp("What changes from column to column.", valueName: "option=values"))
  var x: String?

  @Option(help: ArgumentHelp("What changes from row to row.", valueName: "option=values"))
  var y: String?

  @Option(help: ArgumentHelp("What changes from table to table.", valueName: "option=values"))
  var z: String?

  @Option(help: ArgumentHelp("Keep the pictures too, in this folder.", valueName: "folder"))
  var pictures: String?

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

  @Option(help: ArgumentHelp("The space between pictures and around them (default: a few).", valueName: "pixels"))
  var gap: Int?

  @OptionGroup(title: "Several processes") var cluster: ClusterArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  @Argument(parsing: .allUnrecognized, help: ArgumentHelp(
    "With axes: options of mosc sample.", valueName: "options"))
  var sample: [String] = []

  private var hasAxes: Bool { x != nil || y != nil || z != nil }

  func validate() throws {
    if hasAxes {
      if !row.isEmpty || !column.isEmpty {
        throw ValidationError("--row and --column put pictures together that there are; axes draw them")
      }
    } else if let first = sample.first {
      throw ValidationError(first.hasPrefix("-") ? "Unknown option '\(first)'" : "unexpected argument '\(first)'")
    } else if pictures != nil {
      throw ValidationError("--pictures is for axes, which draw some")
    }
  }

  func run() throws {
    let reporter = try log.reporter()
    if hasAxes { return try draw(reporter) }
    var request = GridRequest()
    (request.rows, request.columns, request.title) = (row, column, title)
    (request.output, request.scale, request.gap) = (output, scale, gap)
    try perform(reporter) { try GridJob(request, reporter).run() }
  }

  private func draw(_ reporter: Reporter) throws {
    var request = AxisGridRequest()
    (request.x, request.y, request.z) = (x, y, z)
    (request.line, request.title, request.pictures) = (sample, title, pictures)
    (request.output, request.scale, request.gap) = (output, scale, gap)
    try cluster.draw(reporter) { team in
      try AxisGridJob(request, options: SampleCommand.listedOptions, reporter, team, read: Self.read).run()
    }
  }

  /// The request of a command line of `mosc sample`.
  private static func read(_ line: [String]) throws -> SampleRequest {
    let arguments = ["sample"] + line
    do {
      let translation = try CommandLineTranslation(arguments)
      guard let command = try Mosc.parseAsRoot(translation.arguments) as? SampleCommand else {
        throw CommandError.usage("expected options of mosc sample, found \(line.joined(separator: " "))")
      }
      return try command.request()
    } catch let error as CommandError {
      throw error
    } catch {
      throw CommandError.usage(Usage.message(error, arguments))
    }
  }
}
