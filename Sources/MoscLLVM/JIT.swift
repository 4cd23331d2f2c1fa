import CLLVM
import Dispatch

/// The function type of every kernel: argument pointers, first task, end of tasks. The runtime, which
/// knows no compiler, names the same type `Kernel.Function`.
package typealias KernelFunction = @convention(c) @Sendable (
  UnsafePointer<UnsafeMutableRawPointer?>, Int, Int
) -> Void

/// The owner of an ORC session that links object files into this process.
///
/// `add` may be called from several threads. Code stays mapped until the session ends.
package struct JIT: ~Copyable, @unchecked Sendable {
  private let ref: LLVMOrcLLJITRef
  private let perfMap: PerfMap?

  /// Makes an empty session.
  ///
  /// - Parameter isDebugging: whether debuggers and perf are told of what is linked.
  package init(isDebugging: Bool = false) throws(LLVMError) {
    TargetMachine.initialiseTargets
    var jit: LLVMOrcLLJITRef?
    if let error = LLVMOrcCreateLLJIT(&jit, nil) { throw .link(LLVMError.takeError(error)) }
    guard let jit else { throw .link("no session was made") }
    if isDebugging, let error = LLVMOrcLLJITEnableDebugSupport(jit) {
      if let second = LLVMOrcDisposeLLJIT(jit) { LLVMConsumeError(second) }
      throw .link(LLVMError.takeError(error))
    }
    ref = jit
    perfMap = isDebugging ? PerfMap() : nil
  }

  deinit {
    if let error = LLVMOrcDisposeLLJIT(ref) { LLVMConsumeError(error) }
  }

  /// Links an object and returns the kernel that it exports as `symbol`.
  ///
  /// Every object has its own symbol table, so objects may export the same name; `library` must
  /// be new in this session. Undefined symbols are looked up in the process.
  package func add(
    object: UnsafeRawBufferPointer, symbol: String, library: String
  ) throws(LLVMError) -> KernelFunction {
    let session = LLVMOrcLLJITGetExecutionSession(ref)
    guard LLVMOrcExecutionSessionGetJITDylibByName(session, library) == nil else {
      throw .link("'\(library)' is already linked")
    }
    var dylib: LLVMOrcJITDylibRef?
    try check(LLVMOrcExecutionSessionCreateJITDylib(session, &dylib, library))
    var generator: LLVMOrcDefinitionGeneratorRef?
    try check(
      LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
        &generator, LLVMOrcLLJITGetGlobalPrefix(ref), nil, nil))
    LLVMOrcJITDylibAddGenerator(dylib, generator)
    let buffer = LLVMCreateMemoryBufferWithMemoryRangeCopy(
      object.baseAddress?.assumingMemoryBound(to: CChar.self), object.count, library)
    try check(LLVMOrcLLJITAddObjectFile(ref, dylib, buffer))
    let address = try lookUp(symbol, in: dylib, session)
    perfMap?.add(object, symbol: symbol, at: address)
    return unsafeBitCast(address, to: KernelFunction.self)
  }

  /// Links an object and returns the kernel that it exports as `symbol`.
  package func add(
    object: [UInt8], symbol: String, library: String
  ) throws(LLVMError) -> KernelFunction {
    let result = object.withUnsafeBytes { bytes in
      Result { () throws(LLVMError) in
        try add(object: bytes, symbol: symbol, library: library)
      }
    }
    return try result.get()
  }

  private func lookUp(
    _ symbol: String, in dylib: LLVMOrcJITDylibRef?, _ session: LLVMOrcExecutionSessionRef?
  ) throws(LLVMError) -> UInt {
    var order = [
      LLVMOrcCJITDylibSearchOrderElement(
        JD: dylib, JDLookupFlags: LLVMOrcJITDylibLookupFlagsMatchExportedSymbolsOnly)
    ]
    var symbols = [
      LLVMOrcCLookupSetElement(
        Name: LLVMOrcLLJITMangleAndIntern(ref, symbol),
        LookupFlags: LLVMOrcSymbolLookupFlagsRequiredSymbol)
    ]
    let answer = LookupAnswer()
    // With several callers, another thread may pick up this object and answer from there, later
    // than the call returns; the session keeps the answer alive until it has given it.
    LLVMOrcExecutionSessionLookup(
      session, LLVMOrcLookupKindStatic, &order, 1, &symbols, 1,
      { error, result, count, opaque in
        guard let opaque else { return }
        let answer = Unmanaged<LookupAnswer>.fromOpaque(opaque).takeRetainedValue()
        if let error {
          answer.failure = LLVMError.takeError(error)
        } else if let result, count == 1 {
          answer.address = UInt(result[0].Sym.Address)
        }
        answer.isGiven.signal()
      }, Unmanaged.passRetained(answer).toOpaque())
    answer.isGiven.wait()
    guard answer.address != 0 else {
      throw .link(answer.failure ?? "no symbol '\(symbol)' in the object")
    }
    return answer.address
  }

  private func check(_ error: LLVMErrorRef?) throws(LLVMError) {
    if let error { throw .link(LLVMError.takeError(error)) }
  }
}

/// What a lookup found; written by one thread before `isGiven` is signalled.
private final class LookupAnswer: @unchecked Sendable {
  let isGiven = DispatchSemaphore(value: 0)
  var address: UInt = 0
  var failure: String?
}
