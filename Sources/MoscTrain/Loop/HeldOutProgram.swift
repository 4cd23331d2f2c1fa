import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscRuntime

/// A compiled training step without its backward pass, for losses on held-out pictures: it reads the
/// running means of the weights where the optimiser keeps them.
struct HeldOutProgram {
  private let step: Program

  /// Compiles the forward part of a step.
  ///
  /// - Parameter groups: together they hold every trained tensor of the module, with running means.
  init(
    _ training: TrainingModule, _ groups: [ParameterGroup], _ compiler: Compiler
  ) throws {
    var memory: [String: AlignedBuffer] = [:]
    for group in groups {
      for slice in group.layout.slices {
        memory[slice.name] = try group.buffer(.average, of: slice)
      }
    }
    let module = training.withoutGradients
    step = try Program(
      try compiler.compile(module, function: training.function.name),
      weights: WeightFiles(training.sources), on: compiler,
      memory: memory)
  }

  /// The results of the step but the gradients.
  func results(_ inputs: [String: HostArray]) throws -> [String: HostArray] {
    try step.run(inputs)
  }
}

extension TrainingModule {
  /// The module without the request for gradients, and so without a backward pass.
  fileprivate var withoutGradients: Module {
    var module = module
    var graph = module.graphs[0]
    let requests = graph.order.filter {
      if case .gradient = graph[$0].op { true } else { false }
    }
    let gradients = Set(requests.flatMap { graph[$0].results })
    graph.order.removeAll { requests.contains($0) }
    let kept = zip(graph.results, graph.resultNames).filter { !gradients.contains($0.0) }
    (graph.results, graph.resultNames) = (kept.map(\.0), kept.map(\.1))
    module.graphs[0] = graph
    return module
  }
}
