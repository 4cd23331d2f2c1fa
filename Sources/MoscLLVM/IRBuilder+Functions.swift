import CLLVM

extension IRBuilder {
  /// How a function can be seen and whether it may be merged into its callers.
  package enum Visibility { case exported, hidden, outlined, inlined }

  /// Declares a function whose pointers do not alias and that does not unwind.
  package func declare(
    _ name: String, parameters: [LLVMType], result: LLVMType, visibility: Visibility
  ) -> LLVMFunction {
    var types: [LLVMTypeRef?] = parameters.map(\.ref)
    let type = LLVMFunctionType(result.ref, &types, UInt32(types.count), 0)!
    let function = LLVMAddFunction(module, name, type)!
    let wholeFunction = UInt32(bitPattern: -1)
    addAttribute("nounwind", to: function, at: wholeFunction)
    if visibility != .exported { LLVMSetLinkage(function, LLVMInternalLinkage) }
    switch visibility {
    case .exported, .hidden: break
    case .outlined: addAttribute("noinline", to: function, at: wholeFunction)
    case .inlined: addAttribute("alwaysinline", to: function, at: wholeFunction)
    }
    for (index, parameter) in parameters.enumerated()
    where LLVMGetTypeKind(parameter.ref) == LLVMPointerTypeKind {
      addAttribute("noalias", to: function, at: UInt32(index + 1))
    }
    return LLVMFunction(ref: function, type: type)
  }

  private func addAttribute(_ name: String, to function: LLVMValueRef, at index: UInt32) {
    let kind = LLVMGetEnumAttributeKindForName(name, name.utf8.count)
    LLVMAddAttributeAtIndex(function, index, LLVMCreateEnumAttribute(context, kind, 0))
  }

  /// An intrinsic by name (`llvm.fma`) and overloaded types.
  package func intrinsic(_ name: String, _ types: [LLVMType]) throws(LLVMError) -> LLVMFunction {
    let id = LLVMLookupIntrinsicID(name, name.utf8.count)
    guard id != 0 else { throw .unknownIntrinsic(name) }
    var refs: [LLVMTypeRef?] = types.map(\.ref)
    guard let function = LLVMGetIntrinsicDeclaration(module, id, &refs, refs.count),
      let type = LLVMIntrinsicGetType(context, id, &refs, refs.count)
    else { throw .unknownIntrinsic(name) }
    return LLVMFunction(ref: function, type: type)
  }

  /// Calls a function of this module or an intrinsic.
  @discardableResult
  package func call(_ function: LLVMFunction, _ arguments: [LLVMValue]) -> LLVMValue {
    var refs: [LLVMValueRef?] = arguments.map(\.ref)
    return LLVMValue(
      ref: LLVMBuildCall2(ref, function.type, function.ref, &refs, UInt32(refs.count), ""))
  }

  /// A private constant table of floats, aligned for vectors.
  package func table(_ values: [Float], name: String) -> LLVMValue {
    var refs: [LLVMValueRef?] = values.map { LLVMConstReal(float.ref, Double($0)) }
    let array = LLVMConstArray2(float.ref, &refs, UInt64(refs.count))
    let global = LLVMAddGlobal(module, LLVMTypeOf(array), name)!
    LLVMSetInitializer(global, array)
    LLVMSetGlobalConstant(global, 1)
    LLVMSetLinkage(global, LLVMPrivateLinkage)
    LLVMSetAlignment(global, 64)
    return LLVMValue(ref: global)
  }
}
