/// Runs a module with plain loops: the judge of every pass and of generated code.
package struct Evaluator {
  package var module: Module
  /// Weight values by declaration and tensor name.
  package var weights: [String: [String: HostTensor]]

  package init(_ module: Module, weights: [String: [String: HostTensor]] = [:]) {
    self.module = module
    self.weights = weights
  }

  /// The results of a function or kernel for inputs of its parameter types.
  package func run(_ name: String, _ inputs: [HostTensor]) throws(Diagnostic) -> [HostTensor] {
    guard let graph = module[name] else {
      throw Diagnostic("evaluate.function", "the module has no function '@\(name)'")
    }
    return try run(graph, inputs)
  }

  /// The results of a graph for inputs of its parameter types.
  package func run(_ graph: Graph, _ inputs: [HostTensor]) throws(Diagnostic) -> [HostTensor] {
    var values = SideTable<ValueTag, HostTensor?>(default: nil)
    guard inputs.count == graph.parameters.count else {
      throw Diagnostic(
        "evaluate.inputs",
        "'@\(graph.name)' takes \(graph.parameters.count) inputs, found \(inputs.count)")
    }
    for (id, input) in zip(graph.parameters, inputs) {
      guard input.type.shape == graph.type(id).shape else {
        throw Diagnostic(
          "evaluate.input", "input '%\(graph[id].name)' is \(input.type), expected \(graph.type(id))")
      }
      values[id] = HostTensor(graph.type(id), input.elements)
    }
    let environment = EvaluationEnvironment(
      weight: { (name, source) in weights[source]?[name] },
      call: { (name, operands) throws(OpError) in
        do throws(Diagnostic) {
          return try run(name, operands)
        } catch {
          throw OpError(error.id, error.message)
        }
      })
    for id in graph.order {
      let node = graph[id]
      let operands = node.operands.compactMap { values[$0] }
      do throws(OpError) {
        let results = try node.op.definition.evaluate(
          operands, node.results.map { graph.type($0) }, environment)
        for (value, result) in zip(node.results, results) { values[value] = result }
      } catch {
        throw Diagnostic(error.id, error.message, location: node.location)
      }
    }
    return graph.results.compactMap { values[$0] }
  }
}
