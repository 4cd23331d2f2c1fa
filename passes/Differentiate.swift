import MoscIR

/// Replaces every `gradient` request by the reverse-mode computation of the derivatives.
///
/// Values that do not lead from a requested value to the loss get no gradient, so frozen weights
/// cost nothing. What the backward part needs of the forward part it reads where it is; what it
/// has to compute anew are ops of their own. A requested value that the loss does not depend on
/// gets zeros. A loss may depend on the results of an earlier request.
///
/// - Stage: tensor → tensor.  Keeps: every node but the requests.
/// - Refuses: ops without a gradient between a requested value and the loss, by the error
///   `differentiate.none` with the reason. Remarks: whole numbers on the way, through which no
///   derivative passes (`differentiate.integer`); zeros (`differentiate.zero`).
/// - Order: first, on the program as it is written: no pass need know of requests, and gradients of
///   whole model ops are better than those of their parts.
/// - Source: Griewank & Walther 2008, Evaluating Derivatives, chapter 3.
package struct Differentiate: Pass {
  package static let name = "differentiate"
  package static let stages = (from: Stage.tensor, to: Stage.tensor)

  package init(_ options: inout PassOptions) {}

  package func run(_ module: inout Module, _ context: inout PassContext) throws(Diagnostic) {
    for index in module.graphs.indices where module.graphs[index].kind == .function {
      let graph = module.graphs[index]
      let hasRequest = graph.order.contains {
        if case .gradient = graph[$0].op { true } else { false }
      }
      guard hasRequest else { continue }
      module.graphs[index] = try graph.rebuilt {
        (id, operands, new) throws(Diagnostic) -> [ValueID]? in
        guard case .gradient = graph[id].op else { return nil }
        return try derivatives(
          of: operands[0], by: Array(operands.dropFirst()),
          names: graph[id].results.map { graph[$0].name }, in: &new, &context)
      }
    }
  }

  private func derivatives(
    of loss: ValueID, by wanted: [ValueID], names: [String], in graph: inout Graph,
    _ context: inout PassContext
  ) throws(Diagnostic) -> [ValueID] {
    let forward = graph.order
    let seed = try graph.constant(1, graph.type(loss))
    let found = try graph.backpropagate([(loss, seed)], to: wanted, through: forward)
    for id in found.ends {
      let name = graph[id].results.first.map { graph[$0].name } ?? ""
      context.remark(
        "integer", "no derivative passes '\(graph[id].op.mnemonic)': '%\(name)' is a whole number")
    }
    var results: [ValueID] = []
    for (index, value) in wanted.enumerated() {
      if let gradient = found.gradients[index] {
        results.append(gradient)
      } else {
        context.remark("zero", "the loss does not depend on '%\(graph[value].name)'")
        results.append(try graph.constant(0, graph.type(value)))
      }
    }
    let made = graph.order.dropFirst(forward.count)
    for id in made {
      let rate = graph[id].operands.map { graph[$0].rate }.max() ?? .load
      for result in graph[id].results { graph[result].rate = rate }
    }
    let isNew = Set(made.flatMap { graph[$0].results })
    var named: Set<ValueID> = []
    for (result, name) in zip(results, names)
    where isNew.contains(result) && named.insert(result).inserted { graph.rename(result, name) }
    context.count("requests")
    context.count("ops", by: made.count)
    return results
  }
}
