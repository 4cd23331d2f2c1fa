import MoscLLVM

/// Elementary functions of f32 lanes, inline, for any lane count.
///
/// Polynomials are minimax fits of our own (relative weight, coefficients rounded to f32 from the
/// lowest up with the rest refitted). Errors are measured over the stated range by
/// `VectorMathTests`, against f64.
extension FunctionEmitter {
  /// `e^x`; relative error 1.5e-7, 0 below -104, infinity above 88.73.
  package func exp(_ x: LLVMValue) -> LLVMValue {
    let bounded = fmin(float(89, like: x), fmax(float(-105, like: x), x))
    let n = roundEven(fmul(bounded, float(1.442_695_040_888_963_4, like: x)))
    // ln 2 in two parts; n times the first is exact.
    var r = fma(n, float(-0.693_359_375, like: x), bounded)
    r = fma(n, float(2.121_944_400_546_905_8e-4, like: x), r)
    let p = polynomial(
      r, [0.499_999_94, 0.166_665_21, 0.041_668_292, 0.008_368_716, 0.001_381_869_5])
    let value = fadd(fma(fmul(r, r), p, r), float(1, like: x))
    return scale(value, byPowerOfTwo: n)
  }

  /// `2^x`; relative error 1.5e-7, 0 below -150, infinity from 128 on.
  package func exp2(_ x: LLVMValue) -> LLVMValue {
    let bounded = fmin(float(129, like: x), fmax(float(-152, like: x), x))
    let n = roundEven(bounded)
    let r = fsub(bounded, n)
    let p = polynomial(
      r, [
        0.693_147_2, 0.240_226_48, 0.055_503_6, 0.009_618_506, 0.001_339_080_6, 0.000_153_264_73,
      ])
    return scale(fma(r, p, float(1, like: x)), byPowerOfTwo: n)
  }

  /// Natural logarithm; relative error 2e-7 (absolute 1e-7 near 1); -infinity at 0, NaN below.
  package func log(_ x: LLVMValue) -> LLVMValue {
    // Subnormals are scaled into the normal range first.
    let tiny = builder.compareFloats(.less, x, float(0x1p-126, like: x))
    let scaled = builder.select(tiny, fmul(x, float(0x1p23, like: x)), x)
    let bias = builder.select(tiny, float(-23, like: x), float(0, like: x))
    // Write x as 2^e · m with m in [sqrt(1/2), sqrt(2)).
    let bits = bits(scaled)
    let shifted = builder.binary(.sub, bits, int(0x3f35_04f3, like: bits))
    let exponent = builder.binary(.ashr, shifted, int(23, like: bits))
    let fraction = builder.binary(.sub, bits, shl(exponent, 23))
    let e = fadd(builder.cast(.sitofp, exponent, x.type), bias)
    let m = fsub(fromBits(fraction), float(1, like: x))
    let p = polynomial(
      m, [
        0.333_333_13, -0.250_000_1, 0.200_020_72, -0.166_679_89, 0.142_203_58, -0.124_062_34,
        0.118_835_5, -0.116_701_05, 0.067_492_77,
      ])
    let m2 = fmul(m, m)
    var y = fmul(fmul(m2, m), p)
    y = fma(e, float(-2.121_944_400_546_905_8e-4, like: x), y)
    y = fma(m2, float(-0.5, like: x), y)
    let result = fma(e, float(0.693_359_375, like: x), fadd(y, m))
    let zero = float(0, like: x)
    let infinity = float(.infinity, like: x)
    let isZero = builder.compareFloats(.equal, x, zero)
    let positive = builder.select(isZero, fneg(infinity), result)
    let valid = builder.select(
      builder.compareFloats(.less, x, zero), float(.nan, like: x), positive)
    let large = builder.compareFloats(.equal, x, infinity)
    let bounded = builder.select(large, infinity, valid)
    return builder.select(builder.compareFloats(.unordered, x, x), x, bounded)
  }

  /// Error function; absolute error 1.2e-7.
  package func erf(_ x: LLVMValue) -> LLVMValue {
    let t = fmin(float(3.95, like: x), fabs(x))
    let s = fmul(x, x)
    let small = fma(
      x,
      polynomial(
        s, [
          0.128_379_15, -0.376_124_77, 0.112_815_81, -0.026_757_184, 0.004_978_648_4,
          -0.000_591_481_45,
        ]), x)
    // erf t = 1 - exp(-t · q(t)) for larger t.
    let q = polynomial(
      t, [1.128_510_7, 0.635_731_1, 0.105_244_43, -0.022_878_457, 0.003_211_27, -0.000_213_527_47])
    let large = fsub(float(1, like: x), exp(fneg(fmul(t, q))))
    let isSmall = builder.compareFloats(.less, t, float(0.93, like: x))
    return builder.select(isSmall, small, copySign(large, x))
  }

  /// Hyperbolic tangent; relative error 2e-7.
  package func tanh(_ x: LLVMValue) -> LLVMValue {
    let s = fmul(x, x)
    let p = polynomial(
      s, [-0.333_332_8, 0.133_314_06, -0.053_736_515, 0.020_628_167, -0.005_692_296])
    let small = fma(fmul(x, s), p, x)
    let t = fabs(x)
    let e = exp(fadd(t, t))
    let one = float(1, like: x)
    let large = fsub(one, fdiv(float(2, like: x), fadd(e, one)))
    let isSmall = builder.compareFloats(.less, t, float(0.625, like: x))
    return builder.select(isSmall, small, copySign(large, x))
  }

  /// `1 / (1 + e^-x)`; relative error 3e-7.
  package func sigmoid(_ x: LLVMValue) -> LLVMValue {
    let one = float(1, like: x)
    return fdiv(one, fadd(one, exp(fneg(x))))
  }

  /// `x / (1 + e^-x)`; relative error 3e-7.
  package func silu(_ x: LLVMValue) -> LLVMValue {
    fdiv(x, fadd(float(1, like: x), exp(fneg(x))))
  }

  /// `x / 2 · (1 + erf(x / √2))`; absolute error 1.2e-7 · |x|.
  package func gelu(_ x: LLVMValue) -> LLVMValue {
    let e = erf(fmul(x, float(0.707_106_781_186_547_5, like: x)))
    let half = fmul(x, float(0.5, like: x))
    return fma(half, e, half)
  }

  /// `1 / √x`: a correctly rounded root and quotient, relative error 1e-7.
  package func rsqrt(_ x: LLVMValue) -> LLVMValue { fdiv(float(1, like: x), sqrt(x)) }

  /// Sine; absolute error 1e-7 for `|x| ≤ 1e4` radians.
  package func sin(_ x: LLVMValue) -> LLVMValue { sine(x, quarterTurns: 0) }

  /// Cosine; absolute error 1e-7 for `|x| ≤ 1e4` radians.
  package func cos(_ x: LLVMValue) -> LLVMValue { sine(x, quarterTurns: 1) }

  private func sine(_ x: LLVMValue, quarterTurns: Int) -> LLVMValue {
    let n = roundEven(fmul(x, float(0.636_619_772_367_581_4, like: x)))
    // π/2 in parts of 8, 11 and 24 bits: n (13 bits) times the first two is exact.
    var r = fma(n, float(-1.570_312_5, like: x), x)
    r = fma(n, float(-4.837_512_969_970_703e-4, like: x), r)
    r = fma(n, float(-7.549_789_948_768_648e-8, like: x), r)
    let s = fmul(r, r)
    let sine = fma(
      fmul(r, s), polynomial(s, [-0.166_666_54, 0.008_332_093, -0.000_195_051_46]), r)
    let cosine = fma(
      fmul(s, s), polynomial(s, [0.041_666_646, -0.001_388_728_9, 2.442_820_73e-5]),
      fma(s, float(-0.5, like: x), float(1, like: x)))
    let turns = builder.cast(.fptosi, n, type(i32, like: x))
    let quadrant = builder.binary(.add, turns, int(quarterTurns, like: turns))
    let odd = builder.compare(
      .notEqual, builder.binary(.and, quadrant, int(1, like: quadrant)), int(0, like: quadrant))
    let sign = shl(builder.binary(.and, quadrant, int(2, like: quadrant)), 30)
    let value = bits(builder.select(odd, cosine, sine))
    return fromBits(builder.binary(.xor, value, sign))
  }

  /// `magnitude` with the sign of `x`; the magnitude must not be negative.
  package func copySign(_ magnitude: LLVMValue, _ x: LLVMValue) -> LLVMValue {
    call("llvm.copysign", [x.type], [magnitude, x])
  }

  /// `c[0] + c[1]·x + c[2]·x² + …` by Horner's rule.
  package func polynomial(_ x: LLVMValue, _ coefficients: [Double]) -> LLVMValue {
    guard var value = coefficients.last.map({ float($0, like: x) }) else {
      return float(0, like: x)
    }
    for coefficient in coefficients.dropLast().reversed() {
      value = fma(value, x, float(coefficient, like: x))
    }
    return value
  }

  /// `value · 2^n` for whole `n` in -152...130.
  private func scale(_ value: LLVMValue, byPowerOfTwo n: LLVMValue) -> LLVMValue {
    if target.lanes == 16, lanes(of: value) == 16 {
      return call(
        "llvm.x86.avx512.mask.scalef.ps.512", [],
        [value, n, value, builder.constant(-1, i16), int32(4)])
    }
    // In two halves, so that subnormal results and overflow come out of the multiplications.
    let exponent = builder.cast(.fptosi, n, type(i32, like: value))
    let half = builder.binary(.ashr, exponent, int(1, like: exponent))
    let rest = builder.binary(.sub, exponent, half)
    func power(_ e: LLVMValue) -> LLVMValue {
      fromBits(shl(builder.binary(.add, e, int(127, like: e)), 23))
    }
    return fmul(fmul(value, power(half)), power(rest))
  }
}
