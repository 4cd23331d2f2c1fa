import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport
import MoscSample
import MoscTrain

/// Training of a fused change until the model predicts for each concept what the concept's own file does, and for prompts
/// of no concept what the base does.
struct FusionRefinement {
  let plan: FusionPlan
  let request: FuseRequest
  let reporter: Reporter

  /// The layers after `--refine` steps for each concept.
  func refined(_ layers: [AdapterFile.Layer], _ report: inout FusionReport) throws -> [AdapterFile.Layer] {
    let drawing = try Compiler(request.compiler, precision: request.model.precision, reporter)
    let drawer = TeacherDrawing(
      compiler: drawing, settings: plan.settings, guidance: Float(try ModelDefaults(of: plan.base).guidance))
    let examples = try report.measure("drawing what to learn from") { _ in
      let own = try plan.list.map { concept in
        try drawer.examples(
          of: concept.name, concept.prompts + plan.settings.prompts.map(concept.said),
          try plan.adapted([(concept.file, concept.strength)]))
      }
      if plan.priorPrompts.isEmpty { return own }
      return own + [try drawer.examples(of: "the model without concepts", plan.priorPrompts, plan.base)]
    }
    let fused = AdapterFile(
      path: "the fused layers", layers: layers, words: plan.list.flatMap(\.file.words))
    let model = try plan.adapted([(fused, AdapterStrength())])
    return try report.measure("refining") { report in
      let training = try Compiler(training: request.compiler, precision: request.model.precision, reporter)
      let settings = plan.shared(training)
      guard let folder = plan.folder else { throw CommandError.failure("there is no folder for the state") }
      var run = try Distillation(
        model, examples, plan.refinement, state: folder.refinement(settings.text), settings: settings, training)
      let result = try run.run()
      report.losses = result.losses
      return result.layers
    }
  }
}
