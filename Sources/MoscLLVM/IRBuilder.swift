import CLLVM

/// A cursor that writes instructions into one module; it must not outlive the module.
package struct IRBuilder {
  let context: LLVMContextRef
  let module: LLVMModuleRef
  let ref: LLVMBuilderRef

  // MARK: Types

  /// The type of no value.
  package var void: LLVMType { LLVMType(ref: LLVMVoidTypeInContext(context)) }
  /// An opaque pointer.
  package var pointer: LLVMType { LLVMType(ref: LLVMPointerTypeInContext(context, 0)) }
  /// Single precision.
  package var float: LLVMType { LLVMType(ref: LLVMFloatTypeInContext(context)) }
  /// Double precision.
  package var double: LLVMType { LLVMType(ref: LLVMDoubleTypeInContext(context)) }
  /// IEEE half precision.
  package var half: LLVMType { LLVMType(ref: LLVMHalfTypeInContext(context)) }
  /// bfloat16, for intrinsics only.
  package var bfloat: LLVMType { LLVMType(ref: LLVMBFloatTypeInContext(context)) }
  /// An integer type.
  package func int(bits: Int) -> LLVMType {
    LLVMType(ref: LLVMIntTypeInContext(context, UInt32(bits)))
  }
  /// A vector type.
  package func vector(_ element: LLVMType, _ lanes: Int) -> LLVMType {
    LLVMType(ref: LLVMVectorType(element.ref, UInt32(lanes)))
  }

  // MARK: Constants

  /// An integer constant of a scalar type.
  package func constant(_ value: Int, _ type: LLVMType) -> LLVMValue {
    LLVMValue(ref: LLVMConstInt(type.ref, UInt64(bitPattern: Int64(value)), 1))
  }
  /// A float constant, in every lane of a vector type.
  package func constant(_ value: Double, _ type: LLVMType) -> LLVMValue {
    LLVMValue(ref: LLVMConstReal(type.ref, value))
  }
  /// A vector of constants.
  package func constant(vector values: [LLVMValue]) -> LLVMValue {
    var refs: [LLVMValueRef?] = values.map(\.ref)
    return LLVMValue(ref: LLVMConstVector(&refs, UInt32(refs.count)))
  }
  /// The value with all bits clear.
  package func zero(_ type: LLVMType) -> LLVMValue { LLVMValue(ref: LLVMConstNull(type.ref)) }
  /// A value nothing may depend on.
  package func poison(_ type: LLVMType) -> LLVMValue { LLVMValue(ref: LLVMGetPoison(type.ref)) }

  // MARK: Arithmetic

  /// An instruction with two operands of one type.
  package func binary(_ op: BinaryInstruction, _ a: LLVMValue, _ b: LLVMValue) -> LLVMValue {
    LLVMValue(ref: LLVMBuildBinOp(ref, op.ref, a.ref, b.ref, ""))
  }
  /// Signed arithmetic that never overflows: add, sub or mul of indices.
  package func noWrap(_ op: BinaryInstruction, _ a: LLVMValue, _ b: LLVMValue) -> LLVMValue {
    let value = binary(op, a, b)
    if LLVMIsAInstruction(value.ref) != nil { LLVMSetNSW(value.ref, 1) }
    return value
  }
  /// The number with its sign changed.
  package func negate(_ a: LLVMValue) -> LLVMValue { LLVMValue(ref: LLVMBuildFNeg(ref, a.ref, "")) }
  /// A conversion to another type.
  package func cast(_ op: CastInstruction, _ a: LLVMValue, _ type: LLVMType) -> LLVMValue {
    LLVMValue(ref: LLVMBuildCast(ref, op.ref, a.ref, type.ref, ""))
  }
  /// A comparison of integers, lane by lane.
  package func compare(_ op: IntPredicate, _ a: LLVMValue, _ b: LLVMValue) -> LLVMValue {
    LLVMValue(ref: LLVMBuildICmp(ref, op.ref, a.ref, b.ref, ""))
  }
  /// A comparison of floats, lane by lane.
  package func compareFloats(_ op: FloatPredicate, _ a: LLVMValue, _ b: LLVMValue) -> LLVMValue {
    LLVMValue(ref: LLVMBuildFCmp(ref, op.ref, a.ref, b.ref, ""))
  }
  /// `a` where the condition holds, else `b`.
  package func select(_ c: LLVMValue, _ a: LLVMValue, _ b: LLVMValue) -> LLVMValue {
    LLVMValue(ref: LLVMBuildSelect(ref, c.ref, a.ref, b.ref, ""))
  }

  // MARK: Vectors

  /// The vector with one lane replaced.
  package func insert(_ vector: LLVMValue, _ element: LLVMValue, at lane: Int) -> LLVMValue {
    LLVMValue(
      ref: LLVMBuildInsertElement(ref, vector.ref, element.ref, lane32(lane).ref, ""))
  }
  /// One lane of a vector.
  package func extract(_ vector: LLVMValue, at lane: Int) -> LLVMValue {
    LLVMValue(ref: LLVMBuildExtractElement(ref, vector.ref, lane32(lane).ref, ""))
  }
  /// Lanes picked from `a` (0..<n) and `b` (n..<2n); negative picks any value.
  package func shuffle(_ a: LLVMValue, _ b: LLVMValue, _ lanes: [Int]) -> LLVMValue {
    let i32 = int(bits: 32)
    let mask = constant(vector: lanes.map { $0 < 0 ? poison(i32) : constant($0, i32) })
    return LLVMValue(ref: LLVMBuildShuffleVector(ref, a.ref, b.ref, mask.ref, ""))
  }
  private func lane32(_ lane: Int) -> LLVMValue { constant(lane, int(bits: 32)) }

  // MARK: Memory

  /// The pointer `bytes` after `base`.
  package func offset(_ base: LLVMValue, bytes: LLVMValue) -> LLVMValue {
    var index: [LLVMValueRef?] = [bytes.ref]
    return LLVMValue(
      ref: LLVMBuildInBoundsGEP2(ref, LLVMInt8TypeInContext(context), base.ref, &index, 1, ""))
  }
  /// A load with a stated alignment in bytes.
  package func load(_ type: LLVMType, _ pointer: LLVMValue, align: Int) -> LLVMValue {
    let value = LLVMValue(ref: LLVMBuildLoad2(ref, type.ref, pointer.ref, ""))
    LLVMSetAlignment(value.ref, UInt32(align))
    return value
  }
  /// A store with a stated alignment in bytes.
  package func store(_ value: LLVMValue, _ pointer: LLVMValue, align: Int) {
    LLVMSetAlignment(LLVMBuildStore(ref, value.ref, pointer.ref), UInt32(align))
  }
  /// `bytes` of stack, live for the whole call of `function`.
  package func stackSlot(bytes: Int, align: Int, in function: LLVMFunction) -> LLVMValue {
    let here = LLVMGetInsertBlock(ref)
    let location = LLVMGetCurrentDebugLocation2(ref)
    let entry = LLVMGetEntryBasicBlock(function.ref)
    if let first = LLVMGetFirstInstruction(entry) {
      LLVMPositionBuilderBefore(ref, first)
    } else {
      LLVMPositionBuilderAtEnd(ref, entry)
    }
    let type = LLVMArrayType2(LLVMInt8TypeInContext(context), UInt64(bytes))
    let slot = LLVMValue(ref: LLVMBuildAlloca(ref, type, ""))
    LLVMSetAlignment(slot.ref, UInt32(align))
    LLVMPositionBuilderAtEnd(ref, here)
    LLVMSetCurrentDebugLocation2(ref, location)
    return slot
  }

  // MARK: Blocks

  /// The block being written.
  package var block: LLVMBlock? { LLVMGetInsertBlock(ref).map(LLVMBlock.init) }
  /// A new empty block at the end of a function.
  package func appendBlock(_ name: String, to function: LLVMFunction) -> LLVMBlock {
    LLVMBlock(ref: LLVMAppendBasicBlockInContext(context, function.ref, name))
  }
  /// Goes on writing at the end of a block.
  package func position(at block: LLVMBlock) { LLVMPositionBuilderAtEnd(ref, block.ref) }
  /// Ends the block with a jump.
  package func branch(to block: LLVMBlock) { LLVMBuildBr(ref, block.ref) }
  /// Ends the block with a choice of two.
  package func branch(if condition: LLVMValue, _ then: LLVMBlock, else other: LLVMBlock) {
    LLVMBuildCondBr(ref, condition.ref, then.ref, other.ref)
  }
  /// A value chosen by the block control came from; see `addIncoming`.
  package func phi(_ type: LLVMType) -> LLVMValue {
    LLVMValue(ref: LLVMBuildPhi(ref, type.ref, ""))
  }
  /// Adds one choice to a phi.
  package func addIncoming(_ value: LLVMValue, from block: LLVMBlock, to phi: LLVMValue) {
    var values: [LLVMValueRef?] = [value.ref]
    var blocks: [LLVMBasicBlockRef?] = [block.ref]
    LLVMAddIncoming(phi.ref, &values, &blocks, 1)
  }
  /// Ends the function.
  package func returnVoid() { LLVMBuildRetVoid(ref) }
  /// Ends the function with a value.
  package func returnValue(_ value: LLVMValue) { LLVMBuildRet(ref, value.ref) }
}
