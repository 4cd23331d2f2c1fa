import ArgumentParser
import MoscDriver
import MoscFormats
import MoscNetworks

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Turn a model into one file, or into a folder in diffusers layout.",
    discussion: """
      mosc convert v1-5-pruned.safetensors sd15          a folder from a file
      mosc convert sd15 sd15.safetensors --type f16      a file from a folder

      Tensors keep their types unless --type is given, and come back bit by bit. Weights of training \
      (EMA) and the safety checker are left out.
      """)

  @Argument(help: ArgumentHelp(
    "A model folder, a .safetensors or .ckpt file, or ORGANISATION/NAME in the hub's cache.",
    valueName: "model"))
  var model: String

  @Argument(help: ArgumentHelp(
    "A name that ends in .safetensors for one file, any other for a folder.", valueName: "output"))
  var output: String

  @Option(help: ArgumentHelp("The type of all tensors: f32, f16 or bf16.", valueName: "type"))
  var type: ElementType?

  @Option(help: ArgumentHelp("An autoencoder in place of the model's own.", valueName: "file|folder"))
  var vae: String?

  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    var request = ConvertRequest(output: output)
    (request.model.path, request.model.vae, request.type) = (model, vae, type)
    let reporter = try log.reporter()
    try perform(reporter) { try ConvertJob(request, reporter).run() }
  }
}
