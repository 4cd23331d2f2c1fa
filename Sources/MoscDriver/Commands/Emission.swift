import MoscIR

/// What `mosc compile` prints that can be read back.
package enum ModuleForm: String, CaseIterable, Hashable, Sendable {
  case graph, kernels, buffers

  /// The stage of such a module.
  package var stage: Stage {
    switch self {
    case .graph: .tensor
    case .kernels: .kernel
    case .buffers: .buffer
    }
  }
}

/// A stage of compilation whose text or code `mosc compile` prints.
package enum Emission: String, CaseIterable, Hashable, Sendable {
  case graph, kernels, buffers, llvm, llvmOptimized = "llvm-opt", assembly = "asm", object = "obj"
  case plan
  case explorer = "html"

  /// One line about the stage, for `--emit=help`.
  package var summary: String {
    switch self {
    case .graph: "the tensor graph, as the model describes it"
    case .kernels: "fused kernels and the functions that call them"
    case .buffers: "arena offsets and launches"
    case .llvm: "LLVM IR of the kernels, as generated"
    case .llvmOptimized: "LLVM IR of the kernels after optimisation"
    case .assembly: "assembly of the kernels"
    case .object: "object files of the kernels, into the folder given with -o"
    case .plan: "memory of weights, packed weights and the arena"
    case .explorer: "a page to walk through all of it in a browser"
    }
  }

  /// The stage of the module that is printed, for those that can be read back.
  package var stage: Stage? { ModuleForm(rawValue: rawValue)?.stage }
}
