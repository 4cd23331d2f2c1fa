import MoscIR

/// Outlines every function into kernels: groups of ops that are computed in one go.
///
/// What belongs together is decided by `Grouping`, the kernels are built by `Outliner`. Kernels
/// that are alike are one. Functions keep weights, large constants and calls only.
///
/// - Stage: tensor → kernel.  Options: `fusion=none` makes one kernel per op.
/// - Refuses: see the remarks of `Grouping`.
/// - Order: after `split-rates`, so that no kernel mixes work of two rates.
package struct Fuse: Pass {
  package static let name = "fuse"
  package static let stages = (from: Stage.tensor, to: Stage.kernel)
  private let isFusing: Bool

  package init(_ options: inout PassOptions) throws(Diagnostic) {
    switch options.take("fusion") {
    case nil: isFusing = true
    case "none": isFusing = false
    case let text?: throw Diagnostic("fuse.option", "fusion is '\(text)', expected 'none'")
    }
  }

  package func run(_ module: inout Module, _ context: inout PassContext) throws(Diagnostic) {
    guard module.stage == .tensor else { return }
    var outliner = Outliner()
    var functions: [Graph] = []
    for graph in module.graphs {
      var graph = graph
      graph.removeDeadNodes()
      graph = graph.withComputedResults()
      let grouping = Grouping(graph, isFusing: isFusing, context: &context)
      functions.append(outliner.outline(graph, grouping))
      context.count("ops", by: grouping.groups.reduce(0) { $0 + $1.members.count })
    }
    context.count("kernels", by: outliner.kernels.count)
    context.count("calls", by: outliner.callCount)
    module.graphs = outliner.kernels + functions
    module.stage = .kernel
  }
}

extension Graph {
  /// The graph with a copy wherever a result is not computed by a node of its own: a parameter, a
  /// weight, a constant, or a value returned twice.
  func withComputedResults() -> Graph {
    var graph = self
    var seen: Set<ValueID> = []
    for (index, result) in graph.results.enumerated() {
      let isSource = graph.producerOp(result)?.traits.contains(.source) ?? true
      guard isSource || !seen.insert(result).inserted else { continue }
      let type = graph.type(result)
      let copy = graph.appendUnchecked(
        .reshape(Reshape(type)), [result], types: [type], names: [graph[result].name],
        rate: graph[result].rate)
      graph.results[index] = copy[0]
    }
    return graph
  }
}
