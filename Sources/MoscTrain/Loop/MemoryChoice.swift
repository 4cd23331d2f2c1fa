import MoscEngine
import MoscIR
import MoscReport

/// How much of a training step's values is kept, and how much is computed anew.
///
/// Weights packed for the forward and the backward pass are most of a step's memory, activations
/// kept for the backward pass come next; both can be made when they are needed. Choices are tried
/// from the fastest to the smallest.
struct MemoryChoice: Hashable {
  /// The share of the weights' bytes that may stay packed; nil for all of it.
  var packed: Double?
  /// Whether activations that are cheap to compute are computed anew.
  var recomputes: Bool

  private static let all = [
    MemoryChoice(packed: nil, recomputes: false), MemoryChoice(packed: nil, recomputes: true),
    MemoryChoice(packed: 0.7, recomputes: true), MemoryChoice(packed: 0.5, recomputes: true),
    MemoryChoice(packed: 0.3, recomputes: true), MemoryChoice(packed: 0, recomputes: true),
  ]
  /// What a model of full size is trained with unless a limit is given.
  private static let usual = all[2]
  /// Weights below this are packed whole.
  private static let smallModel = 512 << 20

  /// Sets the budgets of a compilation for a module.
  ///
  /// - Parameter limit: the most bytes that the plan may take; nil for the usual choice.
  /// - Throws: `CommandError.failure` with the least that is possible, when the limit is below it.
  static func compiler(
    for module: Module, limit: Int?, _ compiler: Compiler
  ) throws -> Compiler {
    let weights = module.graphs.reduce(0) { sum, graph in
      graph.order.reduce(sum) { sum, id in
        if case .param(let weight) = graph[id].op { sum + weight.type.count * 4 } else { sum }
      }
    }
    guard let limit else {
      return weights < smallModel ? compiler : usual.applied(to: compiler, weights)
    }
    var least = Int.max
    for choice in all {
      let candidate = choice.applied(to: compiler, weights)
      let plan = MemoryPlan(try candidate.lower(module, name: "memory plan").buffers)
      if plan.steadyBytes <= limit { return candidate }
      least = min(least, plan.steadyBytes)
    }
    let mib = { (bytes: Int) in "\((bytes + 0xFFFFF) >> 20)M" }
    throw CommandError.failure(
      "--max-ram \(mib(limit)): a step of this size needs at least \(mib(least))")
  }

  private func applied(to compiler: Compiler, _ weights: Int) -> Compiler {
    compiler.within(
      MemoryBudget(load: packed.map { Int($0 * Double(weights)) }, step: recomputes ? 0 : nil))
  }
}
