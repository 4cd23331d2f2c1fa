import MoscLLVM

/// Dot products of four bytes held in i32 lanes, unsigned by signed, summed in i32:
/// `sum + Σₖ aₖ·bₖ`, exactly.
///
/// One instruction where the processor has it (VNNI); elsewhere bytes are widened by shifts.
struct ByteQuads {
  private let e: FunctionEmitter
  private let lanes: Int
  private let isNative: Bool

  init(_ e: FunctionEmitter, lanes: Int) {
    self.e = e
    self.lanes = lanes
    isNative = e.target.hasByteDot && (lanes == 16 || lanes == 8 || lanes == 4)
  }

  func dot(_ a: LLVMValue, _ b: LLVMValue, _ sum: LLVMValue) -> LLVMValue {
    if isNative { return e.call("llvm.x86.avx512.vpdpbusd.\(lanes * 32)", [], [sum, a, b]) }
    return (0..<4).reduce(sum) { sum, k in
      let unsigned = e.builder.binary(.and, e.lshr(a, 8 * k), e.int(255, like: a))
      let signed = e.builder.binary(.ashr, e.shl(b, 24 - 8 * k), e.int(24, like: b))
      return e.add(sum, e.mul(unsigned, signed))
    }
  }
}
