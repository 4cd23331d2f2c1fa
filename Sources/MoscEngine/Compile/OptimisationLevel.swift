import MoscLLVM

/// How much is done to make code fast, as `-O0` to `-O3`.
package enum OptimisationLevel: Int, CaseIterable, Hashable, Codable, Sendable {
  /// No optional pass, a kernel per op, LLVM as good as off.
  case none
  /// No optional pass; kernels are fused.
  case fused
  /// All passes, and those of LLVM that pay.
  case usual
  /// All passes, and all of LLVM's.
  case full
}

extension OptimisationLevel {
  /// What LLVM does at this level.
  package var code: CodeLevel {
    switch self {
    case .none: .none
    case .fused, .usual: .lean
    case .full: .full
    }
  }
}
