import Foundation
import MoscIR
import MoscPasses

/// Runs passes as the command line asks: printing, dumping and timing on the way.
package struct PassPipeline {
  package let options: CompilationOptions
  package let target: CompilationTarget
  package let reporter: Reporter

  package init(_ options: CompilationOptions, _ target: CompilationTarget, _ reporter: Reporter) {
    self.options = options
    self.target = target
    self.reporter = reporter
  }

  /// The passes that programs run without, if asked to: they change speed, not results.
  package static let optional: [any Pass.Type] = [
    Canonicalise.self, FoldLoRA.self, SplitUpsample.self, SplitGates.self,
  ]

  /// The passes of `--disable-pass`.
  ///
  /// - Throws: a usage error for a pass that is unknown or needed.
  package static func removable(_ names: [String]) throws -> Set<String> {
    let known = optional.map { $0.name }
    for name in names where !known.contains(name) {
      throw DriverError.usage(
        "--disable-pass '\(name)': expected one of \(known.joined(separator: ", "))")
    }
    return Set(names)
  }

  /// Runs the passes on the module.
  ///
  /// - Parameters:
  ///   - name: what dump files are called after.
  ///   - observe: called after each pass.
  package func run(
    _ passes: [any Pass], on module: inout Module, verifyEach: Bool, name: String,
    observe: ((_ pass: String, _ module: Module) -> Void)? = nil
  ) throws {
    for wanted in options.printAfter where Registry.named(wanted) == nil {
      let known = Registry.all.map { $0.name }.joined(separator: ", ")
      throw DriverError.usage("--print-after '\(wanted)': expected one of \(known)")
    }
    var managerOptions = PassManager.Options()
    managerOptions.verifyEach = verifyEach
    var dumpFailure: (any Error)?
    if let folder = options.dumpFolder {
      try FileManager.default.createDirectory(
        at: URL(fileURLWithPath: folder), withIntermediateDirectories: true)
      try dump(module, 0, "input", name, folder)
    }
    managerOptions.after = { index, pass, module in
      observe?(pass, module)
      if options.printsAfterAll || options.printAfter.contains(pass) {
        reporter.print("// after \(pass)\n" + Printer.print(module))
      }
      if let folder = options.dumpFolder, dumpFailure == nil {
        do {
          try dump(module, index + 1, pass, name, folder)
        } catch {
          dumpFailure = error
        }
      }
    }
    var manager = PassManager(passes, options: managerOptions)
    var context = PassContext(
      target: target.passTarget, precision: target.contractionType, loadBudget: options.loadBudget,
      stepBudget: options.stepBudget)
    try manager.run(&module, &context)
    if let dumpFailure { throw dumpFailure }
    if reporter.verbosity >= .debug {
      for remark in context.remarks { reporter.print("\(remark)") }
      for (counter, count) in context.counters.sorted(by: { $0.key < $1.key }) {
        reporter.print("\(counter) = \(count)")
      }
    }
    if options.timesPasses {
      for timing in manager.timings {
        reporter.print(
          String(format: "%8.2f ms  ", timing.duration.seconds * 1e3) + timing.pass
            + String(format: " (verified in %.2f ms)", timing.verification.seconds * 1e3))
      }
    }
  }

  private func dump(
    _ module: Module, _ index: Int, _ pass: String, _ name: String, _ folder: String
  ) throws {
    let number = String(index + 1000).dropFirst()
    try OutputFile("\(folder)/\(number)_\(name)_\(pass).mos").write(Printer.print(module))
  }
}
