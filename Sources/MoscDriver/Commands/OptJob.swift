import Foundation
import MoscEngine
import MoscIR
import MoscPasses
import MoscReport

/// `mosc opt`: reads a module, runs passes on it, prints it.
package struct OptJob {
  package let request: OptRequest
  package let reporter: Reporter

  package init(_ request: OptRequest, _ reporter: Reporter) {
    self.request = request
    self.reporter = reporter
  }

  /// Every pass, and the standard pipeline with the reason of each place.
  package static var passList: String {
    var lines = ["passes:"]
    for pass in Registry.all {
      lines.append("  \(pass.name) (\(pass.stages.from.rawValue) → \(pass.stages.to.rawValue))")
    }
    lines.append("inference pipeline:")
    for (pass, reason) in Pipeline.inference { lines.append("  \(pass.name): \(reason)") }
    return lines.joined(separator: "\n")
  }

  package func run() throws {
    let output = try OutputFile(request.output)
    let passes: [any Pass]
    do {
      passes = try Pipeline.parse(request.passes)
    } catch {
      throw CommandError.usage("--passes: \(error.message)")
    }
    var module = try ModuleFile.read(request.input)
    let target = try CompilationTarget(request.compiler, precision: nil)
    let pipeline = PassPipeline(request.compiler, target, reporter)
    try pipeline.run(
      passes, on: &module, verifyEach: request.compiler.verifiesEach,
      name: "opt")
    try output.write(Printer.print(module))
  }
}
