import MoscEngine
import MoscModel
import MoscNetworks
import MoscReport

/// Encodes the prompts of a picture whose regions have adapters of their own: every context's with the
/// adapters of the whole picture and its own.
struct RegionTexts {
  private let plan: SamplePlan
  /// The prompts of all passes.
  private let scripts: [PromptScript]
  private let compiler: Compiler
  private let reading: PromptReading

  /// - Parameter second: the plan of a second pass, whose prompts may be others.
  init(_ plan: SamplePlan, then second: SamplePlan?, _ compiler: Compiler, _ reading: PromptReading) {
    (self.plan, self.compiler, self.reading) = (plan, compiler, reading)
    scripts = plan.scripts + (second?.scripts ?? [])
  }

  /// The states of all contexts; contexts with the same adapters are encoded together.
  func encode(_ regional: RegionalAdapters) throws -> PromptStates {
    let contexts = 0...plan.regions.count
    let carried = contexts.map { $0 == 0 ? [] : regional.carried[$0 - 1].sorted() }
    let all = Set(scripts.flatMap(\.allTexts))
    var known: [[Int]: PromptStates] = [:]
    for own in carried where known[own] == nil {
      let context = carried.firstIndex(of: own) ?? 0
      var model = plan.model
      model.adapters = regional.textAdapters(ofContext: context)
      let encoder = try PromptEncoder(
        ModelComponents(model, compiler), skippedLayers: plan.request.clipSkip - 1, reading: reading,
        compiler.reporter)
      let texts = contexts.filter { carried[$0] == own }.flatMap { context in
        scripts.flatMap { $0.texts(ofContext: context) }
      }
      known[own] = try encoder.encode(Set(texts), among: all)
    }
    return PromptStates(contexts: carried.compactMap { known[$0] })
  }
}
