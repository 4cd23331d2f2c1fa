import ArgumentParser
import MoscDriver
import MoscReport
import MoscSample

struct RedrawCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "redraw",
    abstract: "Draw a picture again from the settings that are written in it.",
    discussion: """
      Pictures of mosc come out with the same bytes; those of AUTOMATIC1111's web UI, Forge, ComfyUI and \
      stable-diffusion.cpp as far as they say enough, and what could not be followed is named. A picture \
      holds no files: say where model and adapters are.
      """)

  @Argument(help: ArgumentHelp("A PNG, JPEG or WebP file.", valueName: "picture"))
  var picture: String

  @Option(name: .shortAndLong, help: ArgumentHelp(
    "A file, a folder or a pattern, as for mosc sample.", valueName: "file|folder/"))
  var output = RedrawRequest("").output

  @Option(name: [.customShort("i"), .long], help: ArgumentHelp(
    "The picture that it was made from, if that is not where it was.", valueName: "file"))
  var initImg: String?

  @Option(help: ArgumentHelp("The mask, if that is not where it was.", valueName: "file"))
  var mask: String?

  @OptionGroup(title: "Model") var model: ModelArguments
  @OptionGroup(title: "Adapters") var adapters: AdapterArguments
  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    var request = RedrawRequest(picture)
    request.model = adapters.applied(to: model.options)
    request.compiler = try compiler.options(for: request.model)
    request.output = output
    (request.source, request.mask) = (initImg, mask)
    let reporter = try log.reporter()
    try perform(reporter) { try RedrawJob(request, reporter).run() }
  }
}
