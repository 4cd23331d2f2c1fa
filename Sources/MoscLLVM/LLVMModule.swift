import CLLVM

/// The owner of one LLVM context, the module in it and a builder that writes the module.
package struct LLVMModule: ~Copyable {
  let context: LLVMContextRef
  let module: LLVMModuleRef
  private let builderRef: LLVMBuilderRef
  private let diagnostics: Diagnostics

  /// Makes an empty module for the processor of `target`.
  package init(name: String, target: borrowing TargetMachine) {
    context = LLVMContextCreate()
    module = LLVMModuleCreateWithNameInContext(name, context)
    builderRef = LLVMCreateBuilderInContext(context)
    diagnostics = Diagnostics()
    LLVMContextSetDiagnosticHandler(
      context, { Diagnostics.collect($0, into: $1) },
      Unmanaged.passUnretained(diagnostics).toOpaque())
    LLVMSetTarget(module, target.triple)
    let layout = LLVMCreateTargetDataLayout(target.ref)
    LLVMSetModuleDataLayout(module, layout)
    LLVMDisposeTargetData(layout)
  }

  deinit {
    LLVMDisposeBuilder(builderRef)
    LLVMDisposeModule(module)
    LLVMContextDispose(context)
  }

  /// A cursor that writes this module; it must not outlive the module.
  package var builder: IRBuilder {
    IRBuilder(context: context, module: module, ref: builderRef)
  }

  /// The module as LLVM assembly text.
  package var text: String { LLVMError.takeMessage(LLVMPrintModuleToString(module)) }

  /// Throws when the module breaks a rule of LLVM IR.
  package func verify() throws(LLVMError) {
    var message: UnsafeMutablePointer<CChar>?
    let broken = LLVMVerifyModule(module, LLVMReturnStatusAction, &message) != 0
    let reason = LLVMError.takeMessage(message)
    if broken { throw .invalidModule(reason) }
  }

  /// The fixed pipeline run over every kernel.
  ///
  /// Emitted loops are already vector code, so what is left is cleaning up: half the time of
  /// `default<O1>` for code within 1 % of `default<O3>`. Only tested strings may stand here: LLVM
  /// ends the process on some malformed pipelines instead of returning an error, and so does
  /// `instcombine` by default when one round was not enough.
  package static let pipeline =
    "function(early-cse,instcombine<no-verify-fixpoint>,simplifycfg,loop-mssa(licm),gvn,"
    + "loop-simplify,lcssa,loop(loop-reduce),dce)"

  /// Verifies the module and optimises it as far as a level says.
  package func optimise(
    for target: borrowing TargetMachine, _ level: CodeLevel = .lean
  ) throws(LLVMError) {
    try verify()
    guard let pipeline = level.pipeline else { return }
    let options = LLVMCreatePassBuilderOptions()
    defer { LLVMDisposePassBuilderOptions(options) }
    if let error = LLVMRunPasses(module, pipeline, target.ref, options) {
      throw .passes(LLVMError.takeError(error))
    }
    try diagnostics.check()
  }

  /// The module as a relocatable object file; the module itself is left as it was.
  package func object(for target: borrowing TargetMachine) throws(LLVMError) -> [UInt8] {
    try emit(LLVMObjectFile, target)
  }

  /// The module as assembly text of the target; the module itself is left as it was.
  package func assembly(for target: borrowing TargetMachine) throws(LLVMError) -> String {
    String(decoding: try emit(LLVMAssemblyFile, target), as: UTF8.self)
  }

  /// Emits from a copy, as the code generator rewrites the module it is given.
  private func emit(
    _ kind: LLVMCodeGenFileType, _ target: borrowing TargetMachine
  ) throws(LLVMError) -> [UInt8] {
    let copy = LLVMCloneModule(module)
    defer { LLVMDisposeModule(copy) }
    var message: UnsafeMutablePointer<CChar>?
    var buffer: LLVMMemoryBufferRef?
    guard LLVMTargetMachineEmitToMemoryBuffer(target.ref, copy, kind, &message, &buffer) == 0,
      let buffer
    else { throw .emission(LLVMError.takeMessage(message)) }
    defer { LLVMDisposeMemoryBuffer(buffer) }
    try diagnostics.check()
    let bytes = UnsafeRawBufferPointer(
      start: LLVMGetBufferStart(buffer), count: LLVMGetBufferSize(buffer))
    return [UInt8](bytes)
  }
}

/// Error diagnostics of one context, collected so that LLVM does not end the process on them.
private final class Diagnostics {
  private var errors: [String] = []

  static func collect(_ info: LLVMDiagnosticInfoRef?, into opaque: UnsafeMutableRawPointer?) {
    guard let info, let opaque, LLVMGetDiagInfoSeverity(info) == LLVMDSError else { return }
    let text = LLVMError.takeMessage(LLVMGetDiagInfoDescription(info))
    Unmanaged<Diagnostics>.fromOpaque(opaque).takeUnretainedValue().errors.append(text)
  }

  func check() throws(LLVMError) {
    guard !errors.isEmpty else { return }
    defer { errors = [] }
    throw .emission(errors.joined(separator: "; "))
  }
}
