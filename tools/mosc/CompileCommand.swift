import ArgumentParser
import Foundation
import MoscDriver
import MoscModel
import MoscNetworks
import MoscReport

struct CompileCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compile", abstract: "Compile a component or a .mos file, and print a stage of it.")

  @Argument(help: ArgumentHelp(
    "A network of the model, or a .mos file ('-' for standard input).", valueName: "component|file.mos"))
  var source = ProgramSource.component(.unet)

  @Option(name: [.long, .customLong("compile-to")],
    help: ArgumentHelp("What to print; 'help' says what each is.", valueName: "stage"))
  var emit: EmissionArgument?

  @Option(help: ArgumentHelp("The stage that the .mos file must be in.", valueName: "stage"))
  var compileFrom: ModuleForm?

  @Flag(help: "Print the predicted memory (the same as --emit=plan).")
  var plan = false

  @Option(help: ArgumentHelp("Only kernels whose names contain this.", valueName: "text"))
  var filterKernel: String?

  @Option(name: .shortAndLong, help: ArgumentHelp("Where to ('-' for standard output).",
    valueName: "file"))
  var output = "-"

  @Flag(help: "Give every cross-attention layer of the U-Net a prompt of its own.")
  var layerwise = false

  @OptionGroup(title: "Shape") var shape: ShapeArguments
  @OptionGroup(title: "Model") var model: ModelArguments
  @OptionGroup(title: "Adapters") var adapters: AdapterArguments
  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    if emit == .help {
      for stage in Emission.allCases {
        try StandardOutput.print(
          stage.rawValue.padding(toLength: 10, withPad: " ", startingAt: 0) + stage.summary)
      }
      return
    }
    var request = CompileRequest(source)
    request.emission = emit?.emission ?? (plan ? .plan : .graph)
    request.shape = shape.shape
    request.model = adapters.applied(to: model.options)
    request.compiler = try compiler.options(for: request.model)
    (request.from, request.isLayerwise) = (compileFrom, layerwise)
    (request.kernelFilter, request.output) = (filterKernel, output)
    let job = CompileJob(request, reporter)
    try perform(reporter) { try job.run() }
  }
}

/// What `--emit` takes: something to print, or `help`.
enum EmissionArgument: Equatable, ExpressibleByArgument {
  case help
  case print(Emission)

  init?(argument: String) {
    if argument == "help" {
      self = .help
    } else if let emission = Emission(rawValue: argument) {
      self = .print(emission)
    } else {
      return nil
    }
  }

  static var allValueStrings: [String] { Emission.allCases.map(\.rawValue) }

  var emission: Emission? {
    if case .print(let emission) = self { emission } else { nil }
  }
}
