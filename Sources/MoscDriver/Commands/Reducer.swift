import MoscEngine
import MoscIR
import MoscPasses
import MoscReport

/// Makes a module smaller while it keeps a property, such as a failure of a pass.
///
/// Greedy: candidates are tried one after the other, each with fewer ops or results than the module
/// so far, and the first that keeps the property is taken, until none does.
package struct Reducer {
  private let keepsProperty: (Module) -> Bool

  package init(_ keepsProperty: @escaping (Module) -> Bool) { self.keepsProperty = keepsProperty }

  /// The smallest module found.
  ///
  /// - Throws: a usage error for a module without the property.
  package func reduce(_ module: Module) throws -> Module {
    guard keepsProperty(module) else {
      throw CommandError.usage("the module does not show what is to be kept")
    }
    var best = module
    while let smaller = try smaller(best) { best = smaller }
    return best
  }

  private func smaller(_ module: Module) throws -> Module? {
    try Interruption.check()
    for index in module.graphs.indices.reversed() where module.graphs.count > 1 {
      var candidate = module
      candidate.graphs.remove(at: index)
      if accepts(candidate) { return candidate }
    }
    for index in module.graphs.indices {
      let graph = module.graphs[index]
      // Early values first: what follows them goes at once.
      for id in graph.order where !(graph.results == graph[id].results) {
        var cut = graph
        cut.results = graph[id].results
        cut.resultNames = []
        if let found = accepted(cut, index, module) { return found }
      }
      for id in graph.order.reversed() {
        for change in Change.all(of: id, in: graph) {
          if let found = accepted(change.applied(to: graph), index, module) { return found }
        }
      }
    }
    return nil
  }

  private func accepted(_ graph: Graph, _ index: Int, _ module: Module) -> Module? {
    var pruned = graph
    pruned.removeDeadNodes()
    let users = pruned.users()
    let kept = pruned.parameters.filter { !users[$0].isEmpty || pruned.results.contains($0) }
    pruned = pruned.rebuilt(keeping: kept) { _, _, _ in nil }
    pruned.inferRates()
    var candidate = module
    candidate.graphs[index] = pruned
    let used = Set(candidate.graphs.flatMap { graph in
      graph.order.compactMap { id in
        if case .param(let op) = graph[id].op { op.source } else { nil }
      }
    })
    candidate.weights.removeAll { !used.contains($0.name) }
    return accepts(candidate) ? candidate : nil
  }

  private func accepts(_ module: Module) -> Bool {
    Verifier.check(module).isEmpty && keepsProperty(module)
  }

  /// A replacement of one op.
  private enum Change {
    /// Its operand of the same type takes its place.
    case bypass(NodeID, operand: Int)
    /// A parameter of the function does.
    case input(NodeID)

    static func all(of id: NodeID, in graph: Graph) -> [Change] {
      let node = graph[id]
      guard node.results.count == 1 else { return [] }
      let type = graph.type(node.results[0])
      return node.operands.indices.filter { graph.type(node.operands[$0]) == type }
        .map { .bypass(id, operand: $0) } + [.input(id)]
    }

    func applied(to graph: Graph) -> Graph {
      graph.rebuilt { id, operands, new in
        switch self {
        case .bypass(id, let operand): return [operands[operand]]
        case .input(id):
          let result = graph[id].results[0]
          return [new.parameter(graph[result].name, graph.type(result))]
        default: return nil
        }
      }
    }
  }
}

extension Reducer {
  /// Whether passes end in an error that contains a text.
  package static func fails(
    _ passes: [any Pass], with text: String, _ context: PassContext
  ) -> (Module) -> Bool {
    { module in
      var (module, context) = (module, context)
      var manager = PassManager(passes)
      do {
        try manager.run(&module, &context)
        return false
      } catch {
        return "\(error)".contains(text)
      }
    }
  }

  /// Whether passes change what the first function computes.
  package static func differs(
    _ passes: [any Pass], by tolerance: Double, _ context: PassContext
  ) -> (Module) -> Bool {
    { module in
      var (changed, context) = (module, context)
      var manager = PassManager(passes)
      guard (try? manager.run(&changed, &context)) != nil else { return false }
      return compute(module, changed, differentlyBy: tolerance)
    }
  }

  /// Whether the first function computes something else in another module, by the reference evaluator
  /// on random inputs and weights: relative difference above a tolerance.
  package static func compute(
    _ module: Module, _ other: Module, differentlyBy tolerance: Double
  ) -> Bool {
    guard let function = module.functions.first, let changed = other[function.name] else {
      return false
    }
    let weights = numbers(for: module)
    let inputs = function.parameters.enumerated().map { index, id in
      numbers(function.type(id), seed: index + 1)
    }
    do {
      let before = try Evaluator(module, weights: weights).run(function, inputs)
      let after = try Evaluator(other, weights: weights).run(changed, inputs)
      return zip(before, after).contains { isFar($0, $1, tolerance) }
    } catch {
      return false
    }
  }

  private static func isFar(_ a: HostTensor, _ b: HostTensor, _ tolerance: Double) -> Bool {
    guard a.elements.count == b.elements.count else { return true }
    let difference = zip(a.elements, b.elements).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let size = a.elements.reduce(0) { $0 + $1 * $1 }
    return !(difference.squareRoot() <= tolerance * max(size.squareRoot(), 1e-30))
  }

  private static func numbers(for module: Module) -> [String: [String: HostTensor]] {
    var result: [String: [String: HostTensor]] = [:]
    for graph in module.graphs {
      for id in graph.order {
        guard case .param(let op) = graph[id].op else { continue }
        let seed = op.name.utf8.reduce(7) { ($0 &* 31 &+ Int($1)) & 0xffff }
        result[op.source, default: [:]][op.name] = numbers(op.type, seed: seed)
      }
    }
    return result
  }

  /// Numbers between −1 and 1 without a pattern that ops would cancel; small whole ones for integers.
  private static func numbers(_ type: TensorType, seed: Int) -> HostTensor {
    HostTensor(
      type,
      (0..<type.count).map { index in
        let bits = UInt64(index * 2 + 1) &* 0x9e37_79b9_7f4a_7c15 &+ UInt64(seed) &* 0xd1b5_4a32_d192_ed03
        let mixed = (bits ^ (bits >> 29)) &* 0xbf58_476d_1ce4_e5b9
        let unit = Double((mixed ^ (mixed >> 32)) >> 11) / Double(1 << 53)
        return type.dtype.isFloat ? 2 * unit - 1 : (unit * 2).rounded(.down)
      })
  }
}

/// What `mosc reduce` is asked for.
package struct ReduceRequest: Hashable, Sendable {
  package var input: String
  package var output = "-"
  package var passes = ""
  /// The text of the error to keep.
  package var error: String?
  /// Whether a wrong result is to be kept.
  package var keepsMismatch = false
  /// The relative difference of results that counts as wrong.
  package var tolerance = 1e-3
  package var compiler = CompilationOptions()

  package init(_ input: String) { self.input = input }
}

/// `mosc reduce`: the smallest module that still makes passes fail.
package struct ReduceJob {
  package let request: ReduceRequest
  package let reporter: Reporter

  package init(_ request: ReduceRequest, _ reporter: Reporter) {
    self.request = request
    self.reporter = reporter
  }

  package func run() throws {
    guard (request.error != nil) != request.keepsMismatch else {
      throw CommandError.usage("say what to keep: --keep 'error: …' or --keep-mismatch")
    }
    let output = try OutputFile(request.output)
    let passes: [any Pass]
    do {
      passes = try Pipeline.parse(request.passes)
    } catch {
      throw CommandError.usage("--passes: \(error.message)")
    }
    let module = try ModuleFile.read(request.input)
    let target = try CompilationTarget(request.compiler, precision: nil)
    let context = PassContext(target: target.passTarget, precision: target.contractionType)
    let property: (Module) -> Bool
    if let text = request.error {
      let wanted = text.hasPrefix("error: ") ? String(text.dropFirst(7)) : text
      property = Reducer.fails(passes, with: wanted, context)
    } else {
      property = Reducer.differs(passes, by: request.tolerance, context)
    }
    let result = try Reducer(property).reduce(module)
    let ops = result.graphs.reduce(0) { $0 + $1.order.count }
    reporter.info("\(module.graphs.reduce(0) { $0 + $1.order.count }) ops, now \(ops)")
    try output.write(Printer.print(result))
  }
}
