import MoscFormats
import MoscIR
import MoscPasses
import MoscReport

/// Runs a module with the reference evaluator: slow, and the judge when compiled code is in doubt.
package struct ReferenceRun {
  private let module: Module
  private let weights: WeightFiles

  package init(_ module: Module, _ weights: WeightFiles) {
    self.module = module
    self.weights = weights
  }

  /// The results of a function by name.
  package func run(
    _ function: String, _ inputs: [String: HostArray]
  ) throws -> [String: HostArray] {
    guard let graph = module[function] else {
      throw CommandError.failure("the module has no function '@\(function)'")
    }
    var values: [String: [String: HostTensor]] = [:]
    for id in module.graphs.flatMap({ graph in graph.order.map { graph[$0].op } }) {
      guard case .param(let weight) = id else { continue }
      values[weight.source, default: [:]][weight.name] = try tensor(weight)
    }
    let arguments = try graph.parameters.map { id in
      let (name, type) = (graph[id].name, graph.type(id))
      guard let value = inputs[name] else {
        throw CommandError.failure("input '\(name)' \(type) is missing")
      }
      guard value.shape == type.shape else {
        throw CommandError.failure(
          "input '\(name)' has shape \(value.shape), expected \(type.shape)")
      }
      return HostTensor(type, value.floats.map(Double.init))
    }
    // The evaluator knows no requests for gradients.
    var plain = module
    var context = PassContext()
    var manager = PassManager(try Pipeline.parse(Differentiate.name))
    try manager.run(&plain, &context)
    let results = try Evaluator(plain, weights: values).run(function, arguments)
    return Dictionary(
      uniqueKeysWithValues: zip(graph.resultLabels, results).map { name, tensor in
        (name, HostArray(tensor.elements.map { Float($0) }, shape: tensor.type.shape))
      })
  }

  private func tensor(_ weight: Param) throws -> HostTensor {
    let bytes = try weights.memory(of: weight)
    let numbers = ElementType.doubles(bytes, ElementType(weight.type.dtype))
    return HostTensor(weight.type, numbers)
  }
}
