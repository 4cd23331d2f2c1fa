import MoscEngine
import MoscFormats
import MoscIR
import MoscReport
import MoscRuntime

/// The compiled updates of parameter groups, which read gradients and change parameters and moments
/// where they lie.
final class Optimiser {
  private let groups: [ParameterGroup]
  private let rule: AdamW
  private let updates: [Program]

  /// Compiles an update for every group.
  init(_ rule: AdamW, _ groups: [ParameterGroup], _ compiler: Compiler) throws {
    self.groups = groups
    self.rule = rule
    updates = try groups.map { group in
      let graph = try rule.graph(count: group.layout.count, hasAverage: group.keepsAverage)
      var memory: [String: AlignedBuffer] = [:]
      for array in group.lasting { memory[array.rawValue] = group.buffer(array) }
      memory["gradients"] = group.buffer(.sum) ?? group.buffer(.gradients)
      return try Program(
        try compiler.compile(Module(weights: [], graphs: [graph]), function: graph.name),
        weights: WeightFiles([:]), on: compiler,
        memory: memory)
    }
  }

  /// Updates the parameters of groups from their gradients.
  ///
  /// - Parameters:
  ///   - number: the number of this update, from 1.
  ///   - rate: the factor of the learning rates.
  /// - Throws: `CommandError.failure` for parameters that would not be finite; the old ones stay.
  func update(_ number: Int, rate: Double, _ step: StepUpdate) throws {
    // New values replace the old ones together: an interruption leaves either.
    var next: [(group: ParameterGroup, values: [String: HostArray])] = []
    for (group, program) in zip(groups, updates) where !step.frozen.contains(group.name) {
      let scalars = rule.scalars(
        step: number, learningRate: group.learningRate * rate, weightDecay: group.weightDecay,
        gradientScale: step.scale, blend: group.keepsAverage ? step.blend ?? 0 : nil)
      let values = try program.run(scalars.mapValues { HostArray([Float($0)], shape: [1]) })
      for array in [ParameterGroup.Role.parameters, .average] {
        guard let value = values[AdamW.nextPrefix + array.rawValue], !value.floats.areFinite else {
          continue
        }
        throw CommandError.failure(
          "step \(number): the \(array.rawValue) of the group '\(group.name)' are no longer finite "
            + "numbers; lower its learning rate (it is \(group.learningRate * rate)); what was saved "
            + "before is kept")
      }
      next.append((group, values))
    }
    for (group, values) in next {
      for array in group.lasting {
        guard let value = values[AdamW.nextPrefix + array.rawValue] else { continue }
        try group.replace(array, with: value.floats)
      }
    }
  }
}

extension [Float] {
  /// Whether all are numbers and none is infinite; a maximum of bits, which is made of vector code.
  var areFinite: Bool {
    withUnsafeBufferPointer { numbers in
      var largest: UInt32 = 0
      for number in numbers { largest = Swift.max(largest, number.bitPattern & 0x7F80_0000) }
      return largest < 0x7F80_0000
    }
  }
}
