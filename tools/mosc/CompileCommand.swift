import ArgumentParser
import Foundation
import MoscDriver

struct CompileCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compile", abstract: "Compile a component or a .mos file, and print a stage of it.")

  @Argument(help: ArgumentHelp("unet, text_encoder, vae_encoder, vae_decoder or a .mos file.",
    valueName: "component|file.mos"))
  var target = "unet"

  @Option(name: [.long, .customLong("compile-to")],
    help: ArgumentHelp("What to print; 'help' lists the stages.", valueName: "stage"))
  var emit: String?

  @Option(help: ArgumentHelp("The stage that the .mos file must be in.",
    valueName: "graph|kernels|buffers"))
  var compileFrom: String?

  @Flag(help: "Print the predicted memory (the same as --emit=plan).")
  var plan = false

  @Option(help: ArgumentHelp("Only kernels whose names contain this.", valueName: "text"))
  var filterKernel: String?

  @Option(name: .shortAndLong, help: ArgumentHelp("Where to ('-' for standard output).",
    valueName: "file"))
  var output = "-"

  @Option(help: "Regions of the U-Net, beside the picture's own prompt.")
  var regions = 0

  @Flag(help: "Give every cross-attention layer of the U-Net a prompt of its own.")
  var layerwise = false

  @OptionGroup(title: "Shape") var latent: LatentArguments
  @OptionGroup(title: "Model") var model: ModelArguments
  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    if emit == "help" {
      for stage in Emission.allCases {
        print(stage.rawValue.padding(toLength: 10, withPad: " ", startingAt: 0) + stage.summary)
      }
      return
    }
    var request = CompileRequest(target)
    guard let emission = Emission(rawValue: emit ?? (plan ? "plan" : "graph")) else {
      let known = Emission.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("--emit '\(emit ?? "")': expected one of \(known)")
    }
    request.emission = emission
    request.from = try compileFrom.map { text in
      guard let from = Emission(rawValue: text), from.stage != nil else {
        throw ValidationError(
          "--compile-from '\(text)': expected 'graph', 'kernels' or 'buffers'")
      }
      return from
    }
    (request.latentHeight, request.latentWidth) = try latent.extent()
    request.batch = latent.batch
    guard 0...64 ~= regions else {
      throw ValidationError("--regions \(regions): expected a number from 0 to 64")
    }
    request.regions = regions
    request.isLayerwise = layerwise
    request.model = try model.options()
    request.compiler = try compiler.options(for: request.model)
    request.kernelFilter = filterKernel
    request.output = output
    let job = CompileJob(request, reporter)
    try perform(reporter) { try job.run() }
  }
}
