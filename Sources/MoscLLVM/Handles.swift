import CLLVM

/// A type of an LLVM context; valid while the context lives.
package struct LLVMType: Hashable {
  let ref: LLVMTypeRef

  /// The element type of a vector, or the type itself.
  package var element: LLVMType {
    LLVMGetTypeKind(ref) == LLVMVectorTypeKind ? LLVMType(ref: LLVMGetElementType(ref)) : self
  }

  /// The lane count of a vector type, or nil for a scalar.
  package var lanes: Int? {
    LLVMGetTypeKind(ref) == LLVMVectorTypeKind ? Int(LLVMGetVectorSize(ref)) : nil
  }
}

/// A value of an LLVM function; valid while its module lives.
package struct LLVMValue: Hashable {
  let ref: LLVMValueRef

  /// The type of the value.
  package var type: LLVMType { LLVMType(ref: LLVMTypeOf(ref)) }

  /// The value of a constant integer, or nil.
  package var constantInt: Int? {
    LLVMIsAConstantInt(ref) == nil ? nil : Int(LLVMConstIntGetSExtValue(ref))
  }
}

/// A basic block; valid while its module lives.
package struct LLVMBlock: Hashable {
  let ref: LLVMBasicBlockRef
}

/// A function or intrinsic that can be called; valid while its module lives.
package struct LLVMFunction: Hashable {
  let ref: LLVMValueRef
  let type: LLVMTypeRef

  /// The parameters as values of the body.
  package var parameters: [LLVMValue] {
    (0..<LLVMCountParams(ref)).map { LLVMValue(ref: LLVMGetParam(ref, $0)) }
  }
}

/// Integer comparisons.
package enum IntPredicate {
  case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, unsignedLess

  var ref: LLVMIntPredicate {
    switch self {
    case .equal: LLVMIntEQ
    case .notEqual: LLVMIntNE
    case .less: LLVMIntSLT
    case .lessOrEqual: LLVMIntSLE
    case .greater: LLVMIntSGT
    case .greaterOrEqual: LLVMIntSGE
    case .unsignedLess: LLVMIntULT
    }
  }
}

/// Floating-point comparisons: false on NaN, except `unordered` (true on NaN) and `notEqual`
/// (true on NaN, as in C).
package enum FloatPredicate {
  case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, unordered

  var ref: LLVMRealPredicate {
    switch self {
    case .equal: LLVMRealOEQ
    case .notEqual: LLVMRealUNE
    case .less: LLVMRealOLT
    case .lessOrEqual: LLVMRealOLE
    case .greater: LLVMRealOGT
    case .greaterOrEqual: LLVMRealOGE
    case .unordered: LLVMRealUNO
    }
  }
}

/// Instructions with two operands of one type.
package enum BinaryInstruction {
  case add, sub, mul, udiv, urem, sdiv, srem, and, or, xor, shl, lshr, ashr
  case fadd, fsub, fmul, fdiv

  var ref: LLVMOpcode {
    switch self {
    case .add: LLVMAdd
    case .sub: LLVMSub
    case .mul: LLVMMul
    case .udiv: LLVMUDiv
    case .urem: LLVMURem
    case .sdiv: LLVMSDiv
    case .srem: LLVMSRem
    case .and: LLVMAnd
    case .or: LLVMOr
    case .xor: LLVMXor
    case .shl: LLVMShl
    case .lshr: LLVMLShr
    case .ashr: LLVMAShr
    case .fadd: LLVMFAdd
    case .fsub: LLVMFSub
    case .fmul: LLVMFMul
    case .fdiv: LLVMFDiv
    }
  }
}

/// Conversions between types.
package enum CastInstruction {
  case bitcast, zext, sext, trunc, sitofp, uitofp, fptosi, fptoui, fpext, fptrunc
  case ptrtoint, inttoptr

  var ref: LLVMOpcode {
    switch self {
    case .bitcast: LLVMBitCast
    case .zext: LLVMZExt
    case .sext: LLVMSExt
    case .trunc: LLVMTrunc
    case .sitofp: LLVMSIToFP
    case .uitofp: LLVMUIToFP
    case .fptosi: LLVMFPToSI
    case .fptoui: LLVMFPToUI
    case .fpext: LLVMFPExt
    case .fptrunc: LLVMFPTrunc
    case .ptrtoint: LLVMPtrToInt
    case .inttoptr: LLVMIntToPtr
    }
  }
}
