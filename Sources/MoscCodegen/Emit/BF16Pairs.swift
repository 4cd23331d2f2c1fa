import MoscLLVM

/// Dot products of bf16 pairs held in i32 lanes, summed in f32: `sum + a₀·b₀ + a₁·b₁`.
///
/// One instruction where the processor has it (which takes subnormals as zero); elsewhere the
/// halves are widened by shifts and multiplied in f32.
struct BF16Pairs {
  /// A vector of pairs, widened once where that is needed.
  struct Operand {
    var packed: LLVMValue
    var low: LLVMValue?
    var high: LLVMValue?
  }

  private let e: FunctionEmitter
  private let lanes: Int
  private let isNative: Bool

  init(_ e: FunctionEmitter, lanes: Int) {
    self.e = e
    self.lanes = lanes
    isNative = e.target.hasBF16Dot && (lanes == 16 || lanes == 8 || lanes == 4)
  }

  func prepare(_ pairs: LLVMValue) -> Operand {
    if isNative {
      return Operand(packed: e.bitcast(pairs, e.type(e.builder.bfloat, lanes * 2)))
    }
    let high = e.builder.binary(.and, pairs, e.int(-65_536, like: pairs))
    return Operand(packed: pairs, low: e.fromBits(e.shl(pairs, 16)), high: e.fromBits(high))
  }

  func dot(_ a: Operand, _ b: Operand, _ sum: LLVMValue) -> LLVMValue {
    guard let aLow = a.low, let aHigh = a.high, let bLow = b.low, let bHigh = b.high else {
      return e.call(
        "llvm.x86.avx512bf16.dpbf16ps.\(lanes * 32)", [], [sum, a.packed, b.packed])
    }
    return e.fma(aHigh, bHigh, e.fma(aLow, bLow, sum))
  }
}
