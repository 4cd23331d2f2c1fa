import MoscEngine
import MoscIR
import MoscModel
import MoscRuntime

/// A compiled training step with its optimiser: parameters, gradients and moments stay where the
/// kernels read and write them.
package final class TrainingProgram {
  package let groups: [ParameterGroup]
  package let optimiser: AdamW
  private let step: Program
  private let updates: [Program]
  private let gradientPrefix: String

  /// Compiles the step of a module, and an update for every group.
  ///
  /// - Parameters:
  ///   - groups: together they hold every trained tensor of the module.
  ///   - gradientPrefix: what precedes a tensor's name in the name of its gradient.
  package init(
    _ training: TrainingModule, _ groups: [ParameterGroup], _ optimiser: AdamW,
    _ compiler: Compiler, gradientPrefix: String = ConceptStep.gradientPrefix
  ) throws {
    self.groups = groups
    self.optimiser = optimiser
    self.gradientPrefix = gradientPrefix
    var memory: [String: AlignedBuffer] = [:]
    for group in groups {
      for slice in group.layout.slices {
        memory[slice.name] = try group.buffer(.parameters, of: slice)
        memory[gradientPrefix + slice.name] = try group.buffer(.gradients, of: slice)
      }
    }
    let function = training.function.name
    step = try Program(
      try compiler.compile(training.module, function: function),
      weights: WeightFiles(training.sources), pool: compiler.pool, reporter: compiler.reporter,
      memory: memory)
    updates = try groups.map { group in
      let graph = try optimiser.graph(count: group.layout.count, hasAverage: group.keepsAverage)
      var memory: [String: AlignedBuffer] = [:]
      for array in ParameterGroup.Role.lasting { memory[array.rawValue] = group.buffer(array) }
      memory["gradients"] = group.buffer(.sum) ?? group.buffer(.gradients)
      return try Program(
        try compiler.compile(Module(weights: [], graphs: [graph]), function: graph.name),
        weights: WeightFiles([:]), pool: compiler.pool, reporter: compiler.reporter,
        memory: memory)
    }
  }

  /// The memory of intermediate values and packed weights, in bytes.
  package var memory: (arena: Int, load: Int) { (step.arenaBytes, step.loadBytes) }

  /// The inputs that a step asks for.
  package var inputTypes: [String: TensorType] { step.inputTypes }

  /// Runs the step: its results but the gradients, which stay in the groups.
  package func gradients(_ inputs: [String: TensorValue]) throws -> [String: TensorValue] {
    let results = try step.run(inputs)
    for group in groups { group.accumulate() }
    return results
  }

  /// Whether the step's time is counted by kernel.
  package var isProfiling: Bool {
    get { step.isProfiling }
    set { step.isProfiling = newValue }
  }

  /// Where the time of the steps went, without that of the optimiser.
  package func profile(_ peak: MachinePeak) -> ProfileReport { ProfileReport(step, peak) }

  /// The first value of the step, in the order of computation, that is not finite.
  package func firstNonFinite() throws -> String? { try step.firstNonFinite() }

  /// Updates the parameters of groups from their gradients.
  ///
  /// - Parameters:
  ///   - number: the number of this update, from 1.
  ///   - rate: the factor of the learning rates.
  ///   - scale: what gradients are multiplied with.
  ///   - blend: the share of the new parameters in the running mean.
  ///   - frozen: the names of groups that stay as they are.
  package func update(
    _ number: Int, rate: Double, scale: Double = 1, blend: Double? = nil,
    frozen: Set<String> = []
  ) throws {
    // New values replace the old ones together: an interruption leaves either.
    var next: [(group: ParameterGroup, values: [String: TensorValue])] = []
    for (group, program) in zip(groups, updates) where !frozen.contains(group.name) {
      let scalars = optimiser.scalars(
        step: number, learningRate: group.learningRate * rate, weightDecay: group.weightDecay,
        gradientScale: scale, blend: group.keepsAverage ? blend ?? 0 : nil)
      let values = try program.run(scalars.mapValues { TensorValue([1], [Float($0)]) })
      next.append((group, values))
    }
    for (group, values) in next {
      for array in ParameterGroup.Role.lasting {
        guard let value = values[AdamW.nextPrefix + array.rawValue] else { continue }
        try group.replace(array, with: value.floats)
      }
    }
  }
}
