import MoscIR
import MoscLLVM

/// Writes functions of one LLVM module: constants, index arithmetic and float arithmetic.
///
/// Values are SSA values of the module; floats may be scalars or vectors of any lane count. An
/// emitter is used by one thread and must not outlive its module.
package final class FunctionEmitter {
  /// The cursor below; for instructions the emitter has no word for.
  package let builder: IRBuilder
  /// The processor that code is written for.
  package let target: TargetFacts
  /// The function being written.
  package internal(set) var function: LLVMFunction?
  /// Line tables for debuggers; nil without.
  var lines: DebugLines?
  /// What functions are named after; nil where equal kernels are to have equal code.
  var kernelName: String?
  /// The first failure; `finish()` throws it, so that expressions need no `try`.
  package internal(set) var failure: LLVMError?

  let i64: LLVMType
  let i32: LLVMType
  let i16: LLVMType
  let i8: LLVMType
  let i1: LLVMType
  let f32: LLVMType
  let pointer: LLVMType

  /// Starts writing a module for `target`.
  package init(_ builder: IRBuilder, target: TargetFacts) {
    self.builder = builder
    self.target = target
    i64 = builder.int(bits: 64)
    i32 = builder.int(bits: 32)
    i16 = builder.int(bits: 16)
    i8 = builder.int(bits: 8)
    i1 = builder.int(bits: 1)
    f32 = builder.float
    pointer = builder.pointer
  }

  /// Throws the first failure met while writing.
  package func finish() throws(LLVMError) {
    if let failure { throw failure }
  }

  /// Lanes of the widest `f32` register.
  package var lanes: Int { target.lanes }

  // MARK: Constants

  /// An i64.
  package func int(_ value: Int) -> LLVMValue { builder.constant(value, i64) }
  /// An i32.
  package func int32(_ value: Int) -> LLVMValue { builder.constant(value, i32) }
  /// An f32 scalar.
  package func float(_ value: Double) -> LLVMValue { builder.constant(value, f32) }
  /// An f32 constant of the type of `like`.
  package func float(_ value: Double, like: LLVMValue) -> LLVMValue {
    builder.constant(value, like.type)
  }
  /// An f32 vector (a scalar when `lanes` is 1) with every lane `value`.
  package func float(_ value: Double, lanes: Int) -> LLVMValue {
    builder.constant(value, floatType(lanes))
  }
  /// An integer constant of the type of `like`, in every lane.
  package func int(_ value: Int, like: LLVMValue) -> LLVMValue { int(value, type: like.type) }
  func int(_ value: Int, type: LLVMType) -> LLVMValue {
    guard let lanes = type.lanes else { return builder.constant(value, type) }
    let element = builder.constant(value, type.element)
    return builder.constant(vector: Array(repeating: element, count: lanes))
  }
  /// The lane numbers `0, 1, …` as an i32 vector.
  package func laneNumbers(_ lanes: Int) -> LLVMValue {
    lanes == 1 ? int32(0) : builder.constant(vector: (0..<lanes).map { int32($0) })
  }

  /// f32 scalar or vector.
  package func floatType(_ lanes: Int) -> LLVMType { type(f32, lanes) }
  /// i32 scalar or vector.
  package func intType(_ lanes: Int) -> LLVMType { type(i32, lanes) }
  func type(_ element: LLVMType, _ lanes: Int) -> LLVMType {
    lanes == 1 ? element : builder.vector(element, lanes)
  }
  /// The type of the same lane count with other elements.
  func type(_ element: LLVMType, like value: LLVMValue) -> LLVMType {
    type(element, value.type.lanes ?? 1)
  }
  /// The lane count of a value, 1 for scalars.
  package func lanes(of value: LLVMValue) -> Int { value.type.lanes ?? 1 }

  // MARK: Index arithmetic

  /// Sum of indices.
  package func add(_ a: LLVMValue, _ b: LLVMValue) -> LLVMValue {
    if a.constantInt == 0 { return b }
    if b.constantInt == 0 { return a }
    return builder.noWrap(.add, a, b)
  }
  /// Sum with a constant.
  package func add(_ a: LLVMValue, _ b: Int) -> LLVMValue { add(a, int(b, like: a)) }
  /// Difference of indices.
  package func sub(_ a: LLVMValue, _ b: LLVMValue) -> LLVMValue { builder.noWrap(.sub, a, b) }
  /// Difference from a constant.
  package func sub(_ a: LLVMValue, _ b: Int) -> LLVMValue { sub(a, int(b, like: a)) }
  /// Product of indices.
  package func mul(_ a: LLVMValue, _ b: LLVMValue) -> LLVMValue { builder.noWrap(.mul, a, b) }
  /// Product with a constant.
  package func mul(_ a: LLVMValue, _ b: Int) -> LLVMValue {
    switch b {
    case 0: int(0, like: a)
    case 1: a
    default: mul(a, int(b, like: a))
    }
  }
  /// Quotient of a non-negative index.
  package func div(_ a: LLVMValue, _ b: Int) -> LLVMValue {
    b == 1 ? a : builder.binary(.udiv, a, int(b, like: a))
  }
  /// Remainder of a non-negative index.
  package func rem(_ a: LLVMValue, _ b: Int) -> LLVMValue {
    b == 1 ? int(0, like: a) : builder.binary(.urem, a, int(b, like: a))
  }
  /// The smaller index (signed).
  package func min(_ a: LLVMValue, _ b: LLVMValue) -> LLVMValue {
    builder.select(builder.compare(.less, a, b), a, b)
  }
  /// The smaller of an index and a constant.
  package func min(_ a: LLVMValue, _ b: Int) -> LLVMValue { min(a, int(b, like: a)) }
  /// The larger index (signed).
  package func max(_ a: LLVMValue, _ b: LLVMValue) -> LLVMValue {
    builder.select(builder.compare(.greater, a, b), a, b)
  }

  // MARK: Float arithmetic

  /// Sum.
  package func fadd(_ a: LLVMValue, _ b: LLVMValue) -> LLVMValue { builder.binary(.fadd, a, b) }
  /// Difference.
  package func fsub(_ a: LLVMValue, _ b: LLVMValue) -> LLVMValue { builder.binary(.fsub, a, b) }
  /// Product.
  package func fmul(_ a: LLVMValue, _ b: LLVMValue) -> LLVMValue { builder.binary(.fmul, a, b) }
  /// Quotient.
  package func fdiv(_ a: LLVMValue, _ b: LLVMValue) -> LLVMValue { builder.binary(.fdiv, a, b) }
  /// The number with its sign changed.
  package func fneg(_ a: LLVMValue) -> LLVMValue { builder.negate(a) }
  /// `a · b + c`: one rounding where the processor has the instruction, else two.
  package func fma(_ a: LLVMValue, _ b: LLVMValue, _ c: LLVMValue) -> LLVMValue {
    target.hasFMA ? call("llvm.fma", [a.type], [a, b, c]) : fadd(fmul(a, b), c)
  }
  /// The larger number; `b` when either is NaN (the rule of `maxps`).
  package func fmax(_ a: LLVMValue, _ b: LLVMValue) -> LLVMValue {
    builder.select(builder.compareFloats(.greater, a, b), a, b)
  }
  /// The smaller number; `b` when either is NaN (the rule of `minps`).
  package func fmin(_ a: LLVMValue, _ b: LLVMValue) -> LLVMValue {
    builder.select(builder.compareFloats(.less, a, b), a, b)
  }
  /// Magnitude.
  package func fabs(_ a: LLVMValue) -> LLVMValue { call("llvm.fabs", [a.type], [a]) }
  /// Correctly rounded square root.
  package func sqrt(_ a: LLVMValue) -> LLVMValue { call("llvm.sqrt", [a.type], [a]) }
  /// Rounds to the nearest integer, ties to even.
  package func roundEven(_ a: LLVMValue) -> LLVMValue {
    // x86-64 without SSE4.1 has no such instruction; adding and taking away 1.5 · 2^23 rounds
    // every |a| < 2^22 and keeps LLVM from calling a library function per lane.
    if target.hasFMA { return call("llvm.rint", [a.type], [a]) }
    let magic = float(12_582_912, like: a)
    return fsub(fadd(a, magic), magic)
  }

  // MARK: Vectors and casts

  /// A vector with every lane `scalar`; the scalar itself when `lanes` is 1.
  package func splat(_ scalar: LLVMValue, _ lanes: Int) -> LLVMValue {
    guard lanes > 1 else { return scalar }
    let type = builder.vector(scalar.type, lanes)
    let first = builder.insert(builder.poison(type), scalar, at: 0)
    return builder.shuffle(first, builder.poison(type), Array(repeating: 0, count: lanes))
  }
  /// The sum of all lanes, added pairwise in a fixed tree.
  package func sumLanes(_ vector: LLVMValue) -> LLVMValue { foldLanes(vector, fadd) }
  /// The largest lane.
  package func maxLanes(_ vector: LLVMValue) -> LLVMValue { foldLanes(vector, fmax) }
  private func foldLanes(
    _ vector: LLVMValue, _ combine: (LLVMValue, LLVMValue) -> LLVMValue
  ) -> LLVMValue {
    var width = lanes(of: vector)
    var value = vector
    guard width > 1 else { return value }
    while width > 1 {
      let half = width / 2
      let none = builder.poison(value.type)
      let low = builder.shuffle(value, none, Array(0..<half))
      let high = builder.shuffle(value, none, Array(half..<width))
      value = combine(low, high)
      width = half
    }
    return builder.extract(value, at: 0)
  }
  /// The same bits as another type.
  package func bitcast(_ a: LLVMValue, _ type: LLVMType) -> LLVMValue {
    a.type == type ? a : builder.cast(.bitcast, a, type)
  }
  /// The bits of f32 lanes as i32 lanes.
  package func bits(_ a: LLVMValue) -> LLVMValue { bitcast(a, type(i32, like: a)) }
  /// i32 lanes read as the bits of f32 lanes.
  package func fromBits(_ a: LLVMValue) -> LLVMValue { bitcast(a, type(f32, like: a)) }

  // MARK: Calls

  /// Calls an intrinsic by name; a missing one is recorded and thrown by `finish()`.
  @discardableResult
  package func call(
    _ intrinsic: String, _ types: [LLVMType], _ arguments: [LLVMValue]
  ) -> LLVMValue {
    do {
      return builder.call(try builder.intrinsic(intrinsic, types), arguments)
    } catch {
      failure = failure ?? error
      return arguments.first ?? int(0)
    }
  }

  /// Defines a function whose pointer parameters do not alias, then returns to where it was.
  @discardableResult
  package func define(
    _ name: String, _ parameters: [LLVMType], result: LLVMType? = nil,
    visibility: IRBuilder.Visibility = .outlined,
    _ body: ([LLVMValue]) throws -> LLVMValue?
  ) rethrows -> LLVMFunction {
    let symbol = kernelName.map { KernelLowering.symbol(name, of: $0) } ?? name
    let new = builder.declare(
      symbol, parameters: parameters, result: result ?? builder.void, visibility: visibility)
    let (outer, outerBlock) = (function, builder.block)
    function = new
    builder.position(at: builder.appendBlock("entry", to: new))
    lines?.enter(new, name: symbol)
    defer {
      function = outer
      if let outerBlock { builder.position(at: outerBlock) }
      lines?.leave()
    }
    if let value = try body(new.parameters) {
      builder.returnValue(value)
    } else {
      builder.returnVoid()
    }
    return new
  }

  /// Stack memory that lives for the whole call of the function being written.
  package func stackSlot(bytes: Int, align: Int = 64) -> LLVMValue {
    guard let function else {
      failure = failure ?? .invalidModule("stack memory outside a function")
      return builder.poison(pointer)
    }
    return builder.stackSlot(bytes: bytes, align: align, in: function)
  }
}
