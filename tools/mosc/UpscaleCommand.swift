import ArgumentParser
import MoscDriver
import MoscEngine

struct UpscaleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "upscale", abstract: "Enlarge a picture with a network.",
    discussion: """
      Networks are RRDBNet of ESRGAN and Real-ESRGAN (x4plus, x2plus, anime), in .pth or .safetensors files.
      """)

  @Argument(help: ArgumentHelp("A PNG or JPEG file.", valueName: "picture"))
  var picture: String

  @Option(help: ArgumentHelp("The file of the network.", valueName: "file"))
  var upscaler: String

  @Option(name: .shortAndLong, help: ArgumentHelp(
    "The large picture: a .png or .jpg file, or a folder (default: upscaled-0000.png here, and so on).",
    valueName: "file|folder/"))
  var output = UpscaleRequest("", upscaler: "").output

  @Option(help: ArgumentHelp(
    "How many times larger the picture becomes, resized from what the network makes (default: as it does).",
    valueName: "factor"))
  var scale: Double?

  @Option(help: ArgumentHelp(
    "The longest edge of the tiles in which the picture is enlarged; 0 for the whole at once.", valueName: "pixels"))
  var tile = UpscaleRequest("", upscaler: "").tileSize

  @Option(name: [.customLong("type"), .customLong("precision")],
    help: ArgumentHelp("Arithmetic: bf16 or f32 (default: bf16 where the processor has it).", valueName: "type"))
  var type: Precision?

  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    var request = UpscaleRequest(picture, upscaler: upscaler)
    (request.output, request.scale, request.tileSize) = (output, scale, tile)
    (request.precision, request.compiler) = (type, try compiler.options())
    try perform(reporter) { try UpscaleJob(request, reporter).run() }
  }
}
