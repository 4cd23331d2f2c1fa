import CLLVM

/// A failure reported by LLVM or found before calling it.
package enum LLVMError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The processor name is not one mosc can describe.
  case unknownCPU(String)
  /// A feature is not one of this processor's family, or has no sign.
  case unknownFeature(String)
  /// No code generator for the triple.
  case noTarget(triple: String, reason: String)
  /// The module breaks a rule of LLVM IR.
  case invalidModule(String)
  /// A pass pipeline failed.
  case passes(String)
  /// Machine code could not be emitted.
  case emission(String)
  /// The just-in-time linker failed.
  case link(String)
  /// An intrinsic is missing from this LLVM.
  case unknownIntrinsic(String)

  /// The message for the user.
  package var description: String {
    switch self {
    case .unknownCPU(let name):
      "unknown processor '\(name)'; expected 'native' or one of "
        + TargetFacts.knownCPUs.joined(separator: ", ")
    case .unknownFeature(let name):
      "unknown feature '\(name)'; expected +NAME or -NAME, such as -avx512f"
    case .noTarget(let triple, let reason): "LLVM has no target for '\(triple)': \(reason)"
    case .invalidModule(let reason): "invalid LLVM module: \(reason)"
    case .passes(let reason): "LLVM passes failed: \(reason)"
    case .emission(let reason): "LLVM could not emit code: \(reason)"
    case .link(let reason): "LLVM could not link an object: \(reason)"
    case .unknownIntrinsic(let name): "LLVM \(LLVMVersion.current) has no intrinsic '\(name)'"
    }
  }

  /// Takes over a message that LLVM allocated.
  static func takeMessage(_ message: UnsafeMutablePointer<CChar>?) -> String {
    guard let message else { return "no reason given" }
    defer { LLVMDisposeMessage(message) }
    return String(cString: message)
  }

  /// Takes over an error value that LLVM allocated.
  static func takeError(_ error: LLVMErrorRef) -> String {
    guard let message = LLVMGetErrorMessage(error) else { return "no reason given" }
    defer { LLVMDisposeErrorMessage(message) }
    return String(cString: message)
  }
}

/// The version of the LLVM library in this process.
package enum LLVMVersion {
  /// The version as `major.minor.patch`.
  package static var current: String {
    var major: UInt32 = 0
    var minor: UInt32 = 0
    var patch: UInt32 = 0
    LLVMGetVersion(&major, &minor, &patch)
    return "\(major).\(minor).\(patch)"
  }
}
