import MoscLLVM

/// What this program is.
package enum Version {
  /// The version of mosc.
  package static let number = "0.1.0"

  /// The version of mosc, of LLVM, and the processor.
  package static var text: String {
    "mosc \(number) (LLVM \(LLVMVersion.current), \(TargetFacts.hostCPU))"
  }
}
