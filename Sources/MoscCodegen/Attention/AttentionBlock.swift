import MoscIR
import MoscLLVM

/// The update of one query block by one block of keys: scores, softmax, weighted values.
struct AttentionBlock {
  let e: FunctionEmitter
  let plan: AttentionPlan
  let writer: AttentionWriter
  let block, query, key, tiles: LLVMValue

  private var lanes: Int { plan.lanes }
  private var vectors: Int { plan.queryVectors }
  private var align: Int { plan.lanes * 4 }
  private var scale: Double { Double(plan.spec.scale) * 1.442_695_040_888_963_4 }

  init(
    _ writer: AttentionWriter, block: LLVMValue, query: LLVMValue, key: LLVMValue, tiles: LLVMValue
  ) {
    e = writer.e
    plan = writer.plan
    self.writer = writer
    (self.block, self.query, self.key, self.tiles) = (block, query, key, tiles)
  }

  func write() {
    let maximaRow = writer.row(writer.maxima, block, rows: 1, e.int(0))
    let totalsRow = writer.row(writer.totals, block, rows: 1, e.int(0))
    let old = (0..<vectors).map { load(maximaRow, $0) }
    let new = scoreTiles(startingAt: old)
    let factor = e.float(scale, lanes: lanes)
    // Exactly 1 for an unchanged maximum, block after block.
    let corrections = (0..<vectors).map { j in
      e.exp2(e.fmul(e.fsub(old[j], new[j]), factor))
    }
    let shifts = new.map { e.fmul($0, e.fneg(factor)) }
    let sums = (0..<vectors).map { e.fmul(load(totalsRow, $0), corrections[$0]) }
    let totals = softmax(shifts, sums)
    for j in 0..<vectors {
      store(new[j], maximaRow, j)
      store(totals[j], totalsRow, j)
    }
    addValues(corrections)
  }

  private func load(_ row: LLVMValue, _ vector: Int) -> LLVMValue {
    e.load(.f32, e.offset(row, bytes: vector * align), lanes: lanes, align: align)
  }
  private func store(_ value: LLVMValue, _ row: LLVMValue, _ vector: Int) {
    e.store(value, as: .f32, e.offset(row, bytes: vector * align), align: align)
  }

  // MARK: Scores

  /// Writes `Sᵀ = K·Qᵀ` of the block, unscaled, and returns the maxima so far.
  private func scoreTiles(startingAt old: [LLVMValue]) -> [LLVMValue] {
    let tile = AttentionPlan.tile
    let words = plan.depthWords
    let queries = writer.row(writer.queryScratch, block, rows: words, e.int(0))
    return e.bottomTestedLoop(from: e.int(0), to: tiles, carrying: old) { index, maxima in
      let firstKey = e.mul(index, tile)
      let keys = e.offset(writer.keyScratch, bytes: e.mul(firstKey, words * 4))
      let zeros = Array(repeating: e.float(0, lanes: lanes), count: tile * vectors)
      let scores = product(
        count: words, unroll: 4, sums: zeros, broadcasts: keys, broadcastPitch: words * 4,
        stepPitch: 4, vectors: queries)
      var maxima = maxima
      for i in 0..<tile {
        let row = writer.row(writer.scores, e.int(0), rows: 0, e.add(firstKey, i))
        for j in 0..<vectors {
          let score = masked(scores[i * vectors + j], e.add(e.add(key, firstKey), i), j)
          maxima[j] = e.fmax(maxima[j], score)
          store(score, row, j)
        }
      }
      return maxima
    }
  }

  /// The score, or a very small number where the query does not see the key.
  private func masked(_ score: LLVMValue, _ key: LLVMValue, _ vector: Int) -> LLVMValue {
    var score = score
    let hidden = e.float(-1e30, lanes: lanes)
    if plan.hasPartialTiles {
      let exists = e.builder.compare(.less, key, e.int(plan.spec.keyCount))
      score = e.builder.select(exists, score, hidden)
    }
    if plan.spec.isCausal {
      let base = e.builder.cast(.trunc, e.add(query, vector * lanes), e.intType(1))
      let last = e.int32(plan.spec.queryCount - 1)
      let lane = e.add(e.splat(base, lanes), e.laneNumbers(lanes))
      let queries = e.min(lane, e.splat(last, lanes))
      let limit = e.splat(e.builder.cast(.trunc, key, e.intType(1)), lanes)
      let lead = e.splat(e.int32(plan.spec.causalLead), lanes)
      let sees = e.builder.compare(.greaterOrEqual, e.add(queries, lead), limit)
      score = e.builder.select(sees, score, hidden)
    }
    return score
  }

  // MARK: Softmax

  /// Turns scores into `2^(scale · s + shift)`, pairing them as bf16 where products take pairs.
  private func softmax(_ shifts: [LLVMValue], _ sums: [LLVMValue]) -> [LLVMValue] {
    let factor = e.float(scale, lanes: lanes)
    let half = e.int(0x8000, like: e.bits(factor))
    // Probabilities that become bf16 (error 2e-3) need no more than a cubic.
    let coefficients = plan.usesPairs ? Self.cubic : Self.quintic
    let rows = e.mul(tiles, AttentionPlan.tile)
    return e.bottomTestedLoop(from: e.int(0), to: rows, step: 2, carrying: sums) { key, sums in
      let first = writer.row(writer.scores, e.int(0), rows: 0, key)
      let second = e.offset(first, bytes: plan.queryBlock * 4)
      let pairRow = writer.row(writer.scores, e.int(0), rows: 0, e.div(key, 2))
      return (0..<vectors).map { j in
        let p = power(e.fma(load(first, j), factor, shifts[j]), coefficients)
        let r = power(e.fma(load(second, j), factor, shifts[j]), coefficients)
        if plan.usesPairs {
          // Pair k/2 lies at or before row k, which has been read.
          let low = e.lshr(e.builder.binary(.add, e.bits(p), half), 16)
          let high = e.builder.binary(
            .and, e.builder.binary(.add, e.bits(r), half), e.int(-65_536, like: half))
          store(e.fromBits(e.builder.binary(.or, low, high)), pairRow, j)
        } else {
          store(p, first, j)
          store(r, second, j)
        }
        return e.fadd(sums[j], e.fadd(p, r))
      }
    }
  }

  /// `2^f` for |f| ≤ 1/2; relative error 7.5e-5.
  private static let cubic = [0.999_928_06, 0.693_260_85, 0.242_611_27, 0.055_172_496]
  /// `2^f` for |f| ≤ 1/2; relative error 7.5e-8.
  private static let quintic = [
    1.000_000_1, 0.693_146_94, 0.240_221_2, 0.055_507_131, 0.009_675_541, 0.001_327_647,
  ]

  /// `2^t` for t ≤ 0 up to rounding, with the error of the polynomial; below 2e-38 for t < -126.
  private func power(_ t: LLVMValue, _ coefficients: [Double]) -> LLVMValue {
    let isWide = e.target.lanes == 16
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

  // MARK: Values

  /// `Oᵀ = correction · Oᵀ + Vᵀ·Pᵀ`.
  private func addValues(_ corrections: [LLVMValue]) {
    let tile = AttentionPlan.tile
    let steps = e.mul(tiles, plan.usesPairs ? tile / 2 : tile)
    e.loop(from: 0, to: plan.paddedDepth, step: tile) { channel, _ in
      let rows = (0..<tile).map {
        writer.row(writer.sumScratch, block, rows: plan.paddedDepth, e.add(channel, $0))
      }
      let start = rows.flatMap { row in
        (0..<vectors).map { e.fmul(load(row, $0), corrections[$0]) }
      }
      let values = e.offset(writer.valueScratch, bytes: e.mul(channel, 4))
      let sums = product(
        count: steps, unroll: plan.usesPairs ? 2 : 4, sums: start, broadcasts: values,
        broadcastPitch: 4, stepPitch: plan.paddedDepth * 4, vectors: writer.scores)
      for (i, row) in rows.enumerated() {
        for j in 0..<vectors { store(sums[i * vectors + j], row, j) }
      }
      return []
    }
  }

  // MARK: Products

  private func product(
    count: Int, unroll: Int, sums: [LLVMValue], broadcasts: LLVMValue, broadcastPitch: Int,
    stepPitch: Int, vectors base: LLVMValue
  ) -> [LLVMValue] {
    let whole = count / unroll * unroll
    let step = Step(self, broadcasts, broadcastPitch, stepPitch, base)
    var sums = e.loop(from: 0, to: whole, step: unroll, carrying: sums) { k, sums in
      (0..<unroll).reduce(sums) { step.add(k, plus: $1, to: $0) }
    }
    for rest in whole..<count { sums = step.add(e.int(rest), plus: 0, to: sums) }
    return sums
  }

  /// `count` is a positive multiple of `unroll`.
  private func product(
    count: LLVMValue, unroll: Int, sums: [LLVMValue], broadcasts: LLVMValue, broadcastPitch: Int,
    stepPitch: Int, vectors base: LLVMValue
  ) -> [LLVMValue] {
    let step = Step(self, broadcasts, broadcastPitch, stepPitch, base)
    return e.bottomTestedLoop(from: e.int(0), to: count, step: unroll, carrying: sums) { k, sums in
      (0..<unroll).reduce(sums) { step.add(k, plus: $1, to: $0) }
    }
  }

  /// One step of a register tile: one vector row times one broadcast word per tile row.
  private struct Step {
    let block: AttentionBlock
    let broadcasts: LLVMValue
    let broadcastPitch: Int
    let stepPitch: Int
    let base: LLVMValue

    init(
      _ block: AttentionBlock, _ broadcasts: LLVMValue, _ broadcastPitch: Int, _ stepPitch: Int,
      _ base: LLVMValue
    ) {
      self.block = block
      self.broadcasts = broadcasts
      self.broadcastPitch = broadcastPitch
      self.stepPitch = stepPitch
      self.base = base
    }

    func add(_ k: LLVMValue, plus: Int, to sums: [LLVMValue]) -> [LLVMValue] {
      let (e, plan) = (block.e, block.plan)
      let (lanes, count) = (plan.lanes, plan.queryVectors)
      let rowBytes = plan.queryBlock * 4
      let row = e.offset(e.offset(base, bytes: e.mul(k, rowBytes)), bytes: plus * rowBytes)
      let scalars = e.offset(
        e.offset(broadcasts, bytes: e.mul(k, stepPitch)), bytes: plus * stepPitch)
      var sums = sums
      if plan.usesPairs {
        let pairs = BF16Pairs(e, lanes: lanes)
        let vectors = (0..<count).map { j in
          let address = e.offset(row, bytes: j * lanes * 4)
          return pairs.prepare(e.builder.load(e.intType(lanes), address, align: lanes * 4))
        }
        for i in 0..<AttentionPlan.tile {
          let address = e.offset(scalars, bytes: i * broadcastPitch)
          let x = pairs.prepare(e.splat(e.builder.load(e.i32, address, align: 4), lanes))
          for j in 0..<count {
            sums[i * count + j] = pairs.dot(x, vectors[j], sums[i * count + j])
          }
        }
        return sums
      }
      let vectors = (0..<count).map { block.load(row, $0) }
      for i in 0..<AttentionPlan.tile {
        let address = e.offset(scalars, bytes: i * broadcastPitch)
        let x = e.splat(e.builder.load(e.f32, address, align: 4), lanes)
        for j in 0..<count { sums[i * count + j] = e.fma(x, vectors[j], sums[i * count + j]) }
      }
      return sums
    }
  }
}
