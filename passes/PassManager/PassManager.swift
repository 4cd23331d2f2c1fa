import MoscIR

/// Runs passes in order, verifies between them, and lets a caller see every step.
package struct PassManager {
  /// What a caller can watch and switch on.
  package struct Options {
    /// Whether the module is verified after every pass.
    package var verifyEach = true
    /// Called before a pass with its index, name and the module.
    package var before: ((Int, String, Module) -> Void)?
    /// Called after a pass with its index, name and the module.
    package var after: ((Int, String, Module) -> Void)?
    /// Asked before every pass whether to leave it and the following ones out.
    package var isCancelled: () -> Bool = { false }

    package init() {}
  }

  /// The time one pass took, verification not included.
  package struct Timing: Sendable {
    package var pass: String
    package var duration: Duration
    package var verification: Duration
  }

  package var passes: [any Pass]
  package var options: Options
  package private(set) var timings: [Timing] = []

  package init(_ passes: [any Pass], options: Options = Options()) {
    self.passes = passes
    self.options = options
  }

  /// Runs every pass on the module.
  ///
  /// - Throws: what a pass or the verifier after it found wrong; the message names the pass.
  package mutating func run(
    _ module: inout Module, _ context: inout PassContext
  ) throws(Diagnostics) {
    let clock = ContinuousClock()
    for (index, pass) in passes.enumerated() {
      if options.isCancelled() { return }
      let name = type(of: pass).name
      try checkStage(module, pass)
      options.before?(index, name, module)
      context.currentPass = name
      let start = clock.now
      do throws(Diagnostic) {
        try pass.run(&module, &context)
      } catch {
        throw Diagnostics([annotated(error, "while running pass '\(name)'")])
      }
      let end = clock.now
      if options.verifyEach {
        let errors = Verifier.check(module)
        if !errors.isEmpty {
          throw Diagnostics(errors.map { annotated($0, "after pass '\(name)'") })
        }
      }
      timings.append(
        Timing(pass: name, duration: end - start, verification: clock.now - end))
      options.after?(index, name, module)
    }
  }

  private func checkStage(_ module: Module, _ pass: any Pass) throws(Diagnostics) {
    let stages = type(of: pass).stages
    // A module that already is where the pass leads is left to the pass: it changes nothing.
    guard module.stage == stages.from || module.stage == stages.to else {
      throw Diagnostics([
        Diagnostic(
          "passes.stage",
          "pass '\(type(of: pass).name)' takes a module of stage \(stages.from.rawValue), "
            + "found stage \(module.stage.rawValue)")
      ])
    }
  }

  private func annotated(_ diagnostic: Diagnostic, _ note: String) -> Diagnostic {
    var diagnostic = diagnostic
    diagnostic.notes.append(note)
    return diagnostic
  }
}
