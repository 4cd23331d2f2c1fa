import MoscIR
import MoscLLVM
import MoscReport
import MoscRuntime

/// The processor and the arithmetic that one compilation is for.
package struct CompilationTarget: Hashable, Sendable {
  package let facts: TargetFacts
  package var precision: Precision
  package let threads: Int

  /// - Parameter precision: nil for bf16 where the processor multiplies it, else f32.
  /// - Throws: an unknown processor name, with the known ones.
  package init(_ options: CompilationOptions, precision: Precision?) throws {
    do {
      facts = try TargetFacts(cpu: options.cpu, attributes: options.attributes)
    } catch {
      let isFeature = if case .unknownFeature = error { true } else { false }
      throw CommandError.usage("\(isFeature ? "--mattr" : "--mcpu"): \(error)")
    }
    guard facts.runsOnHost else {
      throw CommandError.usage(
        "--mcpu \(options.cpu): this processor (\(TargetFacts.hostCPU)) cannot run code for it")
    }
    self.precision = precision ?? Precision.usual(on: facts)
    threads = options.threads ?? ProcessFacts.physicalCoreCount
  }

  /// The processor's name, as LLVM has it.
  package var cpu: String { facts.cpu }

  /// What passes know of the processor.
  package var passTarget: Target {
    Target(
      lanes: facts.lanes, vectorRegisters: facts.vectorRegisters, hasBF16Dot: facts.hasBF16Dot)
  }

  /// The element type of contraction inputs and weights.
  package var contractionType: DType {
    switch precision {
    case .f32: .f32
    case .bf16: .bf16
    case .int8: .q8
    }
  }
}
