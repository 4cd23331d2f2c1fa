import CLLVM

/// The owner of an LLVM code generator for one processor; one per compiling thread.
package struct TargetMachine: ~Copyable {
  /// What the code is generated for.
  package let facts: TargetFacts
  /// The target triple.
  package let triple: String
  let ref: LLVMTargetMachineRef

  /// Makes a code generator for a named processor (`native`, `znver4`, `x86-64-v3`, …).
  package init(cpu: String = "native") throws(LLVMError) {
    try self.init(facts: TargetFacts(cpu: cpu))
  }

  /// Makes a code generator for known facts.
  package init(facts: TargetFacts, level: CodeLevel = .lean) throws(LLVMError) {
    Self.initialiseTargets
    let name = LLVMError.takeMessage(LLVMGetDefaultTargetTriple())
    var target: LLVMTargetRef?
    var message: UnsafeMutablePointer<CChar>?
    guard LLVMGetTargetFromTriple(name, &target, &message) == 0, let target else {
      throw .noTarget(triple: name, reason: LLVMError.takeMessage(message))
    }
    guard
      let machine = LLVMCreateTargetMachine(
        target, name, facts.cpu, facts.features, level.codeGeneration, LLVMRelocPIC,
        LLVMCodeModelDefault)
    else { throw .noTarget(triple: name, reason: "no machine for '\(facts.cpu)'") }
    self.facts = facts
    triple = name
    ref = machine
  }

  deinit { LLVMDisposeTargetMachine(ref) }

  /// Registers the code generator of the host architecture, once.
  static let initialiseTargets: Void = {
    _ = LLVMInitializeNativeTarget()
    _ = LLVMInitializeNativeAsmPrinter()
  }()
}
