import MoscCodegen
import MoscIR

/// A function split by rate, its kernels linked into this process.
package struct CompiledFunction: Sendable {
  package let name: String
  package let load: LinkedFunction?
  package let prompt: LinkedFunction?
  package let step: LinkedFunction?
  /// The parameters of the function as the module was given.
  package let parameters: [(name: String, type: TensorType, rate: Rate)]
  /// The names of the results of the function as the module was given.
  package let resultNames: [String]
  /// What each kernel has to do, by its name.
  package let work: [String: Work]
  /// Keeps the machine code mapped.
  private let kernels: KernelCompiler

  package init(
    _ source: Graph, parts: [Rate: LinkedFunction], work: [String: Work], kernels: KernelCompiler
  ) {
    self.work = work
    name = source.name
    load = parts[.load]
    prompt = parts[.prompt]
    step = parts[.step]
    parameters = source.parameters.map { (source[$0].name, source.type($0), source[$0].rate) }
    resultNames = source.resultLabels
    self.kernels = kernels
  }
}
