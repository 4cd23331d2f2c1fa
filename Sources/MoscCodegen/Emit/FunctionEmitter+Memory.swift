import MoscIR
import MoscLLVM

extension FunctionEmitter {
  /// The pointer `bytes` after `base`.
  package func offset(_ base: LLVMValue, bytes: LLVMValue) -> LLVMValue {
    bytes.constantInt == 0 ? base : builder.offset(base, bytes: bytes)
  }
  /// The pointer a constant number of bytes after `base`.
  package func offset(_ base: LLVMValue, bytes: Int) -> LLVMValue {
    offset(base, bytes: int(bytes))
  }

  /// The address of element `index` of a buffer.
  package func element(_ base: LLVMValue, _ index: LLVMValue, _ dtype: DType) -> LLVMValue {
    offset(base, bytes: mul(index, dtype.byteSize))
  }

  /// How elements are held in registers before conversion: bf16 and f16 as 16-bit integers.
  package func storageType(_ dtype: DType, _ lanes: Int) -> LLVMType {
    switch dtype {
    case .f32: type(f32, lanes)
    case .bf16, .f16: type(i16, lanes)
    case .i32: type(i32, lanes)
    case .u8, .i8, .q8: type(i8, lanes)
    }
  }

  /// Loads `lanes` elements as they are stored; lanes from `count` on are zero and not touched.
  package func loadRaw(
    _ dtype: DType, _ pointer: LLVMValue, lanes: Int, count: Int? = nil, align: Int? = nil
  ) -> LLVMValue {
    let type = storageType(dtype, lanes)
    let align = align ?? dtype.byteSize
    guard let count, count < lanes else { return builder.load(type, pointer, align: align) }
    return call(
      "llvm.masked.load", [type, self.pointer],
      [pointer, int32(align), mask(lanes: lanes, count: count), builder.zero(type)])
  }

  /// Stores the first `count` lanes of a value as it is.
  package func storeRaw(
    _ value: LLVMValue, _ pointer: LLVMValue, count: Int? = nil, align: Int
  ) {
    let lanes = lanes(of: value)
    guard let count, count < lanes else { return builder.store(value, pointer, align: align) }
    call(
      "llvm.masked.store", [value.type, self.pointer],
      [value, pointer, int32(align), mask(lanes: lanes, count: count)])
  }

  /// Loads elements of any type as f32 (u8, i8 and i32 converted by value).
  package func load(
    _ dtype: DType, _ pointer: LLVMValue, lanes: Int, count: Int? = nil, align: Int? = nil
  ) -> LLVMValue {
    toF32(loadRaw(dtype, pointer, lanes: lanes, count: count, align: align), from: dtype)
  }

  /// Stores f32 values as elements of any type, rounded as `DType.round` says.
  package func store(
    _ value: LLVMValue, as dtype: DType, _ pointer: LLVMValue, count: Int? = nil,
    align: Int? = nil
  ) {
    storeRaw(
      fromF32(value, to: dtype), pointer, count: count, align: align ?? dtype.byteSize)
  }

  /// The cache that a line is brought to.
  package enum CacheLevel: Int {
    case first = 3
    case second = 2
  }

  /// Asks for the cache line of an address, to be read or written soon; any address is allowed.
  package func prefetch(
    _ address: LLVMValue, level: CacheLevel = .first, forWriting: Bool = false
  ) {
    let data = int32(1)
    call(
      "llvm.prefetch", [pointer],
      [address, int32(forWriting ? 1 : 0), int32(level.rawValue), data])
  }

  /// A constant mask whose first `count` lanes are set.
  package func mask(lanes: Int, count: Int) -> LLVMValue {
    builder.constant(vector: (0..<lanes).map { builder.constant($0 < count ? 1 : 0, i1) })
  }

  // MARK: Conversions

  /// Stored elements as f32.
  package func toF32(_ raw: LLVMValue, from dtype: DType) -> LLVMValue {
    let wide = type(i32, like: raw)
    let floats = type(f32, like: raw)
    switch dtype {
    case .f32: return raw
    case .bf16: return fromBits(shl(builder.cast(.zext, raw, wide), 16))
    case .f16: return halfToF32(raw)
    case .i32: return builder.cast(.sitofp, raw, floats)
    case .u8: return builder.cast(.sitofp, builder.cast(.zext, raw, wide), floats)
    case .i8: return builder.cast(.sitofp, builder.cast(.sext, raw, wide), floats)
    // The integers of activations, without their scale.
    case .q8:
      let stored = toF32(raw, from: .u8)
      return fsub(stored, float(Double(QuantisedRow.zeroPoint), like: stored))
    }
  }

  /// f32 values as stored elements: nearest even for floats; truncation and saturation, NaN to
  /// zero, for integers.
  package func fromF32(_ value: LLVMValue, to dtype: DType) -> LLVMValue {
    switch dtype {
    case .f32: value
    case .bf16: toBF16(value)
    case .f16: f32ToHalf(value)
    case .i32: call("llvm.fptosi.sat", [type(i32, like: value), value.type], [value])
    case .i8: call("llvm.fptosi.sat", [type(i8, like: value), value.type], [value])
    case .u8: call("llvm.fptoui.sat", [type(i8, like: value), value.type], [value])
    case .q8:
      // The integers of activations, given without their scale.
      builder.cast(
        .trunc, roundedBits(fadd(value, float(Double(QuantisedRow.zeroPoint), like: value))),
        type(i8, like: value))
    }
  }

  /// An i32 per lane whose low 22 bits are the nearest integer, ties to even, in two's complement; for
  /// magnitudes below 2²¹.
  package func roundedBits(_ value: LLVMValue) -> LLVMValue {
    // In this binade the last bit of the fraction stands for one.
    bits(fadd(value, float(0x1.8p23, like: value)))
  }

  /// Rounds f32 lanes to bfloat16 bits, ties to even; NaN stays NaN.
  ///
  /// Where the processor has the instruction, subnormal inputs become zero.
  package func toBF16(_ value: LLVMValue) -> LLVMValue {
    let lanes = lanes(of: value)
    if target.hasBF16Dot, lanes == 16 || lanes == 8 {
      let narrow = call(
        "llvm.x86.avx512bf16.cvtneps2bf16.\(lanes * 32)", [], [value])
      return bitcast(narrow, type(i16, lanes))
    }
    let bits = bits(value)
    let odd = builder.binary(.and, lshr(bits, 16), int(1, like: bits))
    let bias = builder.binary(.add, odd, int(0x7fff, like: bits))
    let rounded = lshr(builder.binary(.add, bits, bias), 16)
    let quiet = builder.binary(.or, lshr(bits, 16), int(0x40, like: bits))
    let result = builder.select(builder.compareFloats(.unordered, value, value), quiet, rounded)
    return builder.cast(.trunc, result, type(i16, lanes))
  }

  private func halfToF32(_ raw: LLVMValue) -> LLVMValue {
    if target.hasF16Conversion {
      let halves = bitcast(raw, type(builder.half, like: raw))
      return builder.cast(.fpext, halves, type(f32, like: raw))
    }
    // Exponent and fraction moved into place are the value times 2^-112; infinities and NaN
    // (exponent 31) need the exponent of f32 instead.
    let bits = builder.cast(.zext, raw, type(i32, like: raw))
    let sign = shl(builder.binary(.and, bits, int(0x8000, like: bits)), 16)
    let rest = shl(builder.binary(.and, bits, int(0x7fff, like: bits)), 13)
    let scaled = self.bits(fmul(fromBits(rest), float(0x1p112, like: fromBits(rest))))
    let special = builder.binary(.or, rest, int(0x7f80_0000, like: bits))
    let isSpecial = builder.compare(.greaterOrEqual, rest, int(0x0f80_0000, like: bits))
    return fromBits(builder.binary(.or, sign, builder.select(isSpecial, special, scaled)))
  }

  private func f32ToHalf(_ value: LLVMValue) -> LLVMValue {
    if target.hasF16Conversion {
      let halves = builder.cast(.fptrunc, value, type(builder.half, like: value))
      return bitcast(halves, type(i16, like: value))
    }
    let bits = bits(value)
    let sign = builder.binary(.and, lshr(bits, 16), int(0x8000, like: bits))
    let magnitude = builder.binary(.and, bits, int(0x7fff_ffff, like: bits))
    // Normal results: round the fraction to 10 bits, then move the exponent bias from 127 to 15.
    let odd = builder.binary(.and, lshr(magnitude, 13), int(1, like: bits))
    let carried = builder.binary(.add, magnitude, builder.binary(.add, odd, int(0xfff, like: bits)))
    let normal = lshr(builder.binary(.sub, carried, int(112 << 23, like: bits)), 13)
    // Subnormal results: adding 0.5 makes the FPU round at the place of the last half bit.
    let shifted = self.bits(fadd(fromBits(magnitude), float(0.5, like: value)))
    let subnormal = builder.binary(.sub, shifted, int(0x3f00_0000, like: bits))
    var result = builder.select(
      builder.compare(.less, magnitude, int(113 << 23, like: bits)), subnormal, normal)
    // 65520 and more round to infinity.
    result = builder.select(
      builder.compare(.greaterOrEqual, magnitude, int(0x477f_f000, like: bits)),
      int(0x7c00, like: bits), result)
    result = builder.select(
      builder.compare(.greater, magnitude, int(0x7f80_0000, like: bits)),
      int(0x7e00, like: bits), result)
    return builder.cast(.trunc, builder.binary(.or, sign, result), type(i16, like: value))
  }

  /// The bits moved up.
  package func shl(_ a: LLVMValue, _ count: Int) -> LLVMValue {
    builder.binary(.shl, a, int(count, like: a))
  }
  /// The bits moved down, zeros coming in.
  package func lshr(_ a: LLVMValue, _ count: Int) -> LLVMValue {
    builder.binary(.lshr, a, int(count, like: a))
  }
}
