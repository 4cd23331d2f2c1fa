import MoscIR

/// Gives every value the rate at which it is first known.
///
/// The rate of a result is the slowest of its operands' rates; weights and constants are `load`;
/// parameters keep their declared rate.
///
/// - Stage: any function stage; runs on tensor.  Keeps: everything but rates.
/// - Order: before every pass that asks for rates.
package struct InferRates: Pass {
  package static let name = "infer-rates"
  package static let stages = (from: Stage.tensor, to: Stage.tensor)

  package init(_ options: inout PassOptions) {}

  package func run(_ module: inout Module, _ context: inout PassContext) {
    for index in module.graphs.indices where module.graphs[index].kind == .function {
      module.graphs[index].inferRates()
      let graph = module.graphs[index]
      for id in graph.order {
        for result in graph[id].results { context.count(graph[result].rate.name) }
      }
    }
  }
}

extension Graph {
  /// Recomputes the rates of all results from those of the parameters.
  package mutating func inferRates() {
    for id in order {
      let rate = self[id].operands.map { self[$0].rate }.max() ?? .load
      for result in self[id].results { self[result].rate = rate }
    }
  }
}
