import MoscFormats
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
    } catch .unknownCPU(let name) {
      let nearest = Self.nearest(name).map { "; the nearest that is known is '\($0)'" } ?? ""
      throw CommandError.usage(
        "--mcpu \(name): LLVM \(LLVMVersion.current) does not know this processor\(nearest). There are "
          + "'native', which is '\(TargetFacts.hostCPU)' here, and "
          + TargetFacts.knownCPUs.joined(separator: ", "))
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

  /// The processor that is most like one that LLVM is too old for: of the same line the last before it, else
  /// one a few letters away.
  private static func nearest(_ name: String) -> String? {
    func parts(_ name: String) -> (line: String, number: Int)? {
      let digits = name.reversed().prefix { $0.isASCII && $0.isNumber }.count
      return Int(name.suffix(digits)).map { (String(name.dropLast(digits)), $0) }
    }
    if let wanted = parts(name) {
      let line = TargetFacts.knownCPUs.filter { parts($0)?.line == wanted.line }
      let before = line.filter { parts($0)?.number ?? 0 <= wanted.number }
      let last = (before.isEmpty ? line : before).max { parts($0)?.number ?? 0 < parts($1)?.number ?? 0 }
      if let last { return last }
    }
    return NearestName.suggest(name, in: TargetFacts.knownCPUs)
  }

  /// The processor's name, as LLVM has it.
  package var cpu: String { facts.cpu }

  /// What the processor can do beyond its name, as LLVM has it.
  package var features: String { facts.features }

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
