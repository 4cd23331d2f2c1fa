import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

/// `mosc train`: teaches a model a concept.
package struct TrainJob {
  package let plan: TrainPlan
  package let reporter: Reporter

  /// - Throws: everything that is wrong with data and settings, before any heavy work.
  package init(_ request: TrainRequest, _ reporter: Reporter) throws {
    plan = try TrainPlan(request)
    self.reporter = reporter
  }

  package func run() throws {
    for note in plan.setup.notes { reporter.detail(note) }
    if let first = plan.setup.notes.first {
      let count = plan.setup.notes.count - 1
      reporter.warn(count == 0 ? first : "\(first); so are \(count) others, which -v names")
    }
    let compiler = try Compiler(
      training: plan.request.compiler, precision: plan.request.model.precision, reporter)
    let adapter = plan.model.adapters.adapters.first
    reporter.info(
      "teaching \(plan.model.adapters.words.map(\.text).joined(separator: " ")): "
        + "\(plan.setup.dataset.images.count) pictures, \(plan.steps) steps, "
        + "\(adapter?.applied(.textEncoder) ?? 0) layers of the text encoder and "
        + "\(adapter?.applied(.unet) ?? 0) of the U-Net, \(compiler.target.precision.rawValue), "
        + "\(compiler.target.threads) threads")
    var run = try ConceptRun(plan, compiler)
    try run.run()
    try reporter.result(plan.output.path)
  }
}
