import MoscIR
import MoscLLVM

/// What attention and its gradient share: rearranged tokens, register tiles and powers of two.
///
/// Products take four-byte words along the axis they sum: f32 numbers, or pairs of bf16.
struct AttentionTiles {
  let e: FunctionEmitter
  let usesPairs: Bool

  /// Rows, or channels, of a register tile.
  static let rows = AttentionBlocks.tileRows

  var lanes: Int { e.target.lanes }
  /// Bytes of a vector.
  var align: Int { lanes * 4 }

  /// Elements of a word.
  var wordElements: Int { usesPairs ? 2 : 1 }

  func load(_ row: LLVMValue, _ vector: Int) -> LLVMValue {
    e.load(.f32, e.offset(row, bytes: vector * align), lanes: lanes, align: align)
  }
  func store(_ value: LLVMValue, _ row: LLVMValue, _ vector: Int) {
    e.store(value, as: .f32, e.offset(row, bytes: vector * align), align: align)
  }

  /// Fills whole vectors of scratch.
  func fill(_ scratch: LLVMValue, bytes: Int, with number: Double = 0) {
    e.loop(from: 0, to: bytes, step: align) { byte, _ in
      store(e.float(number, lanes: lanes), e.offset(scratch, bytes: byte), 0)
      return []
    }
  }

  // MARK: Register tiles

  /// The addends of a tile of rows: `Σ_k broadcasts[row][k] · vectors[k]`.
  struct Product {
    /// The word of the first row and step.
    var broadcasts: LLVMValue
    /// Bytes from one row, and from one step, to the next.
    var rowPitch, stepPitch: Int
    /// The vectors of the first step.
    var vectors: LLVMValue
    /// Bytes from the vectors of one step to the next.
    var vectorPitch: Int
    /// Vectors of a step that are used.
    var width: Int
  }

  /// The sums plus `count` steps of a product; sums are ordered by row, then vector.
  func add(
    _ product: Product, count: Int, unroll: Int = 4, to sums: [LLVMValue]
  ) -> [LLVMValue] {
    let whole = count / unroll * unroll
    var sums = e.loop(from: 0, to: whole, step: unroll, carrying: sums) { k, sums in
      (0..<unroll).reduce(sums) { step(product, k, plus: $1, $0) }
    }
    for rest in whole..<count { sums = step(product, e.int(rest), plus: 0, sums) }
    return sums
  }

  /// The same for a number of steps that is a positive multiple of `unroll`.
  func add(
    _ product: Product, count: LLVMValue, unroll: Int, to sums: [LLVMValue]
  ) -> [LLVMValue] {
    e.bottomTestedLoop(from: e.int(0), to: count, step: unroll, carrying: sums) { k, sums in
      (0..<unroll).reduce(sums) { step(product, k, plus: $1, $0) }
    }
  }

  /// One step: one row of vectors times one word per row of the tile.
  private func step(
    _ product: Product, _ k: LLVMValue, plus: Int, _ sums: [LLVMValue]
  ) -> [LLVMValue] {
    func address(_ base: LLVMValue, _ pitch: Int) -> LLVMValue {
      e.offset(e.offset(base, bytes: e.mul(k, pitch)), bytes: plus * pitch)
    }
    let row = address(product.vectors, product.vectorPitch)
    let words = address(product.broadcasts, product.stepPitch)
    let width = product.width
    var sums = sums
    if usesPairs {
      let pairs = BF16Pairs(e, lanes: lanes)
      let vectors = (0..<width).map { j in
        pairs.prepare(
          e.builder.load(e.intType(lanes), e.offset(row, bytes: j * align), align: align))
      }
      for i in 0..<Self.rows {
        let word = e.builder.load(e.i32, e.offset(words, bytes: i * product.rowPitch), align: 4)
        let x = pairs.prepare(e.splat(word, lanes))
        for j in 0..<width {
          sums[i * width + j] = pairs.dot(x, vectors[j], sums[i * width + j])
        }
      }
      return sums
    }
    let vectors = (0..<width).map { load(row, $0) }
    for i in 0..<Self.rows {
      let word = e.builder.load(e.f32, e.offset(words, bytes: i * product.rowPitch), align: 4)
      let x = e.splat(word, lanes)
      for j in 0..<width { sums[i * width + j] = e.fma(x, vectors[j], sums[i * width + j]) }
    }
    return sums
  }

  // MARK: Exponentials

  /// `log₂ e`, which turns natural exponents into those of two.
  static let logTwoE = 1.442_695_040_888_963_4

  /// `2^f` for |f| ≤ 1/2; relative error 7.5e-5.
  private static let cubic = [0.999_928_06, 0.693_260_85, 0.242_611_27, 0.055_172_496]
  /// `2^f` for |f| ≤ 1/2; relative error 7.5e-8.
  private static let quintic = [
    1.000_000_1, 0.693_146_94, 0.240_221_2, 0.055_507_131, 0.009_675_541, 0.001_327_647,
  ]

  /// `2^t` for t ≤ 0 up to rounding, with the error of the polynomial; below 2e-38 for t < -126.
  func power(_ t: LLVMValue) -> LLVMValue {
    // Probabilities that become bf16 (error 2e-3) need no more than a cubic.
    let coefficients = usesPairs ? Self.cubic : Self.quintic
    let isWide = lanes == 16
    let bounded = isWide ? t : e.fmax(t, e.float(-126, like: t))
    let n = e.roundEven(bounded)
    let p = e.polynomial(e.fsub(bounded, n), coefficients)
    if isWide {
      return e.call(
        "llvm.x86.avx512.mask.scalef.ps.512", [],
        [p, n, p, e.builder.constant(-1, e.i16), e.int32(4)])
    }
    let exponent = e.builder.cast(.fptosi, n, e.intType(lanes))
    return e.fromBits(e.builder.binary(.add, e.bits(p), e.shl(exponent, 23)))
  }

  /// Two rows of numbers as pairs of bf16, rounded to nearest, halves away from zero.
  func pair(_ low: LLVMValue, _ high: LLVMValue) -> LLVMValue {
    let half = e.int(0x8000, like: e.bits(low))
    let first = e.lshr(e.builder.binary(.add, e.bits(low), half), 16)
    let second = e.builder.binary(
      .and, e.builder.binary(.add, e.bits(high), half), e.int(-65_536, like: half))
    return e.fromBits(e.builder.binary(.or, first, second))
  }
}
