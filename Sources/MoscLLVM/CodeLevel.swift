import CLLVM

/// How much LLVM does about a kernel.
package enum CodeLevel: String, Hashable, Sendable {
  /// Nothing: instructions stand in the order they were emitted.
  case none
  /// The short pipeline that pays.
  case lean
  /// All that LLVM has.
  case full

  /// The passes, or nil for none.
  package var pipeline: String? {
    switch self {
    case .none: nil
    case .lean: LLVMModule.pipeline
    case .full: "default<O3>"
    }
  }

  var codeGeneration: LLVMCodeGenOptLevel {
    switch self {
    case .none: LLVMCodeGenLevelNone
    case .lean: LLVMCodeGenLevelDefault
    case .full: LLVMCodeGenLevelAggressive
    }
  }
}
