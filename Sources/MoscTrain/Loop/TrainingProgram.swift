import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscRuntime

/// A compiled training step: parameters and gradients stay where the kernels read and write them.
package final class TrainingProgram {
  package let groups: [ParameterGroup]
  private let step: Program

  /// Compiles the step of a module.
  ///
  /// - Parameter groups: together they hold every trained tensor of the module.
  package init(
    _ training: TrainingModule, _ groups: [ParameterGroup], _ compiler: Compiler
  ) throws {
    self.groups = groups
    var memory: [String: AlignedBuffer] = [:]
    for group in groups {
      for slice in group.layout.slices {
        memory[slice.name] = try group.buffer(.parameters, of: slice)
        memory[ConceptStep.gradientPrefix + slice.name] = try group.buffer(.gradients, of: slice)
      }
    }
    let function = training.function.name
    step = try Program(
      try compiler.compile(training.module, function: function),
      weights: WeightFiles(training.sources), on: compiler,
      memory: memory)
  }

  /// The memory of intermediate values and packed weights, in bytes.
  package var memory: (arena: Int, load: Int) { (step.arenaBytes, step.loadBytes) }

  /// The inputs that a step asks for.
  package var inputTypes: [String: TensorType] { step.inputTypes }

  /// Runs the step: its results but the gradients, which stay in the groups and are not added up yet.
  package func gradients(_ inputs: [String: HostArray]) throws -> [String: HostArray] {
    try step.run(inputs)
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
}
