import Foundation
import MoscIR
import MoscPasses
import MoscReport

/// Runs passes as the command line asks: printing, dumping and timing on the way.
package struct PassPipeline {
  package let options: CompilationOptions
  package let target: CompilationTarget
  package let budget: MemoryBudget
  package let reporter: Reporter

  package init(
    _ options: CompilationOptions, _ target: CompilationTarget, _ reporter: Reporter,
    budget: MemoryBudget = MemoryBudget()
  ) {
    self.options = options
    self.target = target
    self.budget = budget
    self.reporter = reporter
  }

  /// The passes that programs run without, if asked to.
  package static var optional: [any Pass.Type] { Registry.all.filter { $0.isOptional } }

  /// The pass that merges adapters into weights; left out, they stay branches of their layers.
  package static let adapterFolding = FoldLoRA.name

  /// The passes of `--disable-pass`.
  ///
  /// - Throws: a usage error for a pass that is unknown or needed.
  package static func removable(_ names: [String]) throws -> Set<String> {
    let known = optional.map { $0.name }
    for name in names where !known.contains(name) {
      throw CommandError.usage(
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
    try checkNames()
    let remarks = try RemarkPrinter(options, reporter)
    let passes = bisected(passes, name)
    if options.shows.printsPipeline {
      reporter.print("\(name): " + passes.map { type(of: $0).name }.joined(separator: ","))
    }
    var changes = options.shows.printsChanges.map { ChangePrinter($0, module) }
    var managerOptions = PassManager.Options()
    managerOptions.verifyEach = verifyEach
    managerOptions.isCancelled = { Interruption.isRequested }
    var dumpFailure: (any Error)?
    let dumps = try options.shows.dumpFolder.map { try DumpFolder($0) }
    try dumps?.write(module, 0, after: "input", of: name)
    var began = ContinuousClock.now
    managerOptions.before = { _, pass, module in
      if options.shows.printsBeforeAll || options.shows.printBefore.contains(pass) {
        reporter.print("// before \(pass)\n" + Printer.print(module))
      }
      began = .now
    }
    managerOptions.after = { index, pass, module in
      reporter.trace?.add("\(pass) of \(name)", lane: "passes", since: began)
      observe?(pass, module)
      if let text = changes?.text(after: pass, module) { reporter.print(text) }
      if options.shows.printsAfterAll || options.shows.printAfter.contains(pass) {
        reporter.print("// after \(pass)\n" + Printer.print(module))
      }
      if dumpFailure == nil {
        do {
          try dumps?.write(module, index + 1, after: pass, of: name)
        } catch {
          dumpFailure = error
        }
      }
    }
    var manager = PassManager(passes, options: managerOptions)
    var context = PassContext(
      target: target.passTarget, precision: target.contractionType, loadBudget: budget.load,
      stepBudget: budget.step)
    context.absentPasses = Set(Registry.all.map { $0.name }).subtracting(passes.map { type(of: $0).name })
    try manager.run(&module, &context)
    try Interruption.check()
    if let dumpFailure { throw dumpFailure }
    if let reason = try dumps?.writeIndex() { reporter.warn(reason) }
    try remarks.print(context.remarks)
    if reporter.verbosity >= .debug || options.shows.printsStatistics {
      for (counter, count) in context.counters.sorted(by: { $0.key < $1.key }) {
        reporter.print("\(counter) = \(count)")
      }
    }
    if options.shows.timesPasses {
      for timing in manager.timings {
        reporter.print(
          String(format: "%8.2f ms  ", timing.duration.seconds * 1e3) + timing.pass
            + (verifyEach
              ? String(format: " (verified in %.2f ms)", timing.verification.seconds * 1e3) : ""))
      }
    }
  }

  private func checkNames() throws {
    for (flag, names) in [("before", options.shows.printBefore), ("after", options.shows.printAfter)] {
      for wanted in names where Registry.named(wanted) == nil {
        let known = Registry.all.map { $0.name }.joined(separator: ", ")
        throw CommandError.usage("--print-\(flag) '\(wanted)': expected one of \(known)")
      }
    }
  }

  /// The passes without the optional ones past the limit, saying which run: halving the limit finds
  /// the pass that breaks a program.
  private func bisected(_ passes: [any Pass], _ name: String) -> [any Pass] {
    guard let limit = options.bisectLimit else { return passes }
    var count = 0
    return passes.filter { pass in
      let passName = type(of: pass).name
      guard type(of: pass).isOptional else { return true }
      count += 1
      let runs = count <= limit
      reporter.print("bisect: \(runs ? "running" : "not running") pass \(count), \(passName), on \(name)")
      return runs
    }
  }
}
