import Foundation
import MoscCodegen
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscNetworks
import MoscReport

/// `mosc compile`: compiles a component or a `.mos` file and prints a stage of it.
package struct CompileJob {
  package let request: CompileRequest
  package let reporter: Reporter

  package init(_ request: CompileRequest, _ reporter: Reporter) {
    self.request = request
    self.reporter = reporter
  }

  package func run() throws {
    let module = try source()
    let name = module.functions.first?.name ?? "module"
    if request.emission == .graph {
      return try OutputFile(request.output).write(Printer.print(module))
    }
    var compiler = try Compiler(request.compiler, precision: request.model.precision, reporter)
    if case .component(let component) = request.source, component != .unet {
      compiler = compiler.unquantised
    }
    try Reproducer(request.compiler.shows.reproducer).watching(module) {
      if request.emission == .explorer {
        let output = try OutputFile(request.output)
        return try output.write(try ExplorerPage(module, name: name, compiler).html)
      }
      try emit(try compiler.lower(module, name: name), compiler)
    }
  }

  private func emit(_ lowered: LoweredModule, _ compiler: Compiler) throws {
    switch request.emission {
    case .graph, .explorer: break
    case .kernels: try OutputFile(request.output).write(Printer.print(lowered.kernels))
    case .buffers: try OutputFile(request.output).write(Printer.print(lowered.buffers))
    case .plan: try OutputFile(request.output).write(MemoryPlan(lowered.buffers).text)
    case .llvm: try writeText(.llvm, lowered, compiler)
    case .llvmOptimized: try writeText(.optimised, lowered, compiler)
    case .assembly: try writeText(.assembly, lowered, compiler)
    case .object: try writeObjects(lowered, compiler)
    }
  }

  /// The module, in the stage that the file has.
  private func source() throws -> Module {
    switch request.source {
    case .file(let path): try read(path)
    case .component(let component): try module(of: component)
    }
  }

  private func read(_ path: String) throws -> Module {
    let module = try ModuleFile.read(path)
    if let from = request.from, from.stage != module.stage {
      throw CommandError.usage(
        "--compile-from=\(from.rawValue): '\(path)' is in stage \(module.stage)")
    }
    if let stage = request.emission.stage, stage < module.stage {
      throw CommandError.usage(
        "--emit=\(request.emission.rawValue): '\(path)' is past that, in stage \(module.stage)")
    }
    return module
  }

  private func module(of component: ComponentKind) throws -> Module {
    if let from = request.from {
      throw CommandError.usage("--compile-from=\(from.rawValue) needs a .mos file")
    }
    let model = try ModelComponents.open(request.model)
    try reporter.report(model)
    let (n, h, w) = (request.shape.batch, request.shape.latent.height, request.shape.latent.width)
    let function: ModelFunction
    switch component {
    case .textEncoder: function = .textEncoder(TextEncoder.Shape(batch: n))
    case .unet: function = .unet(
        UNet.Shape(
          batch: n, height: h, width: w, isLayerwise: request.isLayerwise,
          regions: request.shape.regions))
    case .vaeDecoder: function = .vaeDecoder(batch: n, height: h, width: w)
    case .vaeEncoder:
      let factor = try model.vae().config.downsampling
      function = .vaeEncoder(batch: n, height: h * factor, width: w * factor)
    }
    return try model.program(function).module
  }

  private func kernels(_ lowered: LoweredModule) throws -> [Graph] {
    guard let filter = request.kernelFilter else { return lowered.kernels.kernels }
    let chosen = lowered.kernels.kernels.filter { $0.name.contains(filter) }
    if chosen.isEmpty {
      let known = lowered.kernels.kernels.prefix(20).map(\.name).joined(separator: ", ")
      throw CommandError.usage(
        "--filter-kernel '\(filter)' fits none of the \(lowered.kernels.kernels.count) kernels: "
          + known)
    }
    return chosen
  }

  private func writeText(
    _ form: KernelArtifact, _ lowered: LoweredModule, _ compiler: Compiler
  ) throws {
    let comment = form == .assembly ? "#" : ";"
    var text = ""
    for kernel in try kernels(lowered) {
      try Interruption.check()
      let code = try compiler.artifact(form, of: kernel)
      text += "\(comment) kernel @\(kernel.name)\n" + String(decoding: code, as: UTF8.self) + "\n"
    }
    try OutputFile(request.output).write(text)
  }

  private func writeObjects(_ lowered: LoweredModule, _ compiler: Compiler) throws {
    let chosen = try kernels(lowered)
    if request.output == "-" {
      throw CommandError.usage("--emit=obj writes files; give a folder with -o")
    }
    try makeFolder(URL(fileURLWithPath: request.output))
    for kernel in chosen {
      try Interruption.check()
      let file = try OutputFile("\(request.output)/\(kernel.name).o")
      try file.write(Data(compiler.artifact(.object, of: kernel)))
    }
  }
}
