import MoscIR

/// Trades computation for memory: computes values anew where they are read instead of keeping them.
///
/// - Packed weights of the backward pass are made from those of the forward pass in each step, then
///   those from the file, until what a step finds computed at load fits its budget
///   (`RecomputedPanels`).
/// - Cheap values that live across the fullest point of the step (elementwise ops, norms, moved
///   data) are computed again behind it, until the step fits its budget (`RecomputedValues`).
///
/// Both keep every bit of every result. Without a budget nothing is done.
///
/// - Stage: tensor → tensor.  Needs: rates, packed weights.  Options: `load-bytes=N`, the most
///   bytes computed at load that a step reads, `step-bytes=N`, the most bytes of a step's values in
///   use at once, before fusion; else the context's budgets.
/// - Refuses: weights that no layer reads in the forward direction (`rematerialise.panels`).
///   Remarks a budget that is still exceeded (`rematerialise.budget`).
/// - Order: after `pack-weights`, before `split-rates` fixes what is kept; behind every pass that
///   would find the second computation of a value and drop it.
/// - Source: Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost, section 4.
package struct Rematerialise: Pass {
  package static let name = "rematerialise"
  package static let stages = (from: Stage.tensor, to: Stage.tensor)
  private let loadBytes: Int?
  private let stepBytes: Int?

  package init(_ options: inout PassOptions) throws(Diagnostic) {
    loadBytes = try options.int("load-bytes")
    stepBytes = try options.int("step-bytes")
  }

  package func run(_ module: inout Module, _ context: inout PassContext) throws(Diagnostic) {
    let (load, step) = (loadBytes ?? context.loadBudget, stepBytes ?? context.stepBudget)
    for index in module.graphs.indices where module.graphs[index].kind == .function {
      if let load {
        module.graphs[index] = try RecomputedPanels.apply(
          module.graphs[index], budget: load, &context)
      }
      if let step {
        RecomputedValues.apply(&module.graphs[index], budget: step, &context)
      }
    }
  }
}
