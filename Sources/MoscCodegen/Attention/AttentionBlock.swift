import MoscIR
import MoscLLVM

/// The update of one query block by one block of keys: scores, softmax, weighted values.
struct AttentionBlock {
  let e: FunctionEmitter
  let plan: AttentionPlan
  let emitter: AttentionEmitter
  let tiles: AttentionTiles
  let block, query, key, keyTiles: LLVMValue

  private var lanes: Int { plan.lanes }
  private var vectors: Int { plan.queryVectors }
  private var scale: Double { Double(plan.spec.scale) * AttentionTiles.logTwoE }

  init(
    _ emitter: AttentionEmitter, block: LLVMValue, query: LLVMValue, key: LLVMValue,
    keyTiles: LLVMValue
  ) {
    e = emitter.e
    plan = emitter.plan
    self.emitter = emitter
    tiles = emitter.tiles
    (self.block, self.query, self.key, self.keyTiles) = (block, query, key, keyTiles)
  }

  func write() {
    let maximaRow = emitter.rows(emitter.maxima, block)
    let totalsRow = emitter.rows(emitter.totals, block)
    let old = (0..<vectors).map { tiles.load(maximaRow, $0) }
    let new = scoreTiles(startingAt: old)
    let factor = e.float(scale, lanes: lanes)
    // Exactly 1 for an unchanged maximum, block after block.
    let corrections = (0..<vectors).map { j in
      e.exp2(e.fmul(e.fsub(old[j], new[j]), factor))
    }
    let shifts = new.map { e.fmul($0, e.fneg(factor)) }
    let sums = (0..<vectors).map { e.fmul(tiles.load(totalsRow, $0), corrections[$0]) }
    let totals = softmax(shifts, sums)
    for j in 0..<vectors {
      tiles.store(new[j], maximaRow, j)
      tiles.store(totals[j], totalsRow, j)
    }
    if emitter.values != nil { addValues(corrections) }
  }

  // MARK: Scores

  /// Writes `Sᵀ = K·Qᵀ` of the block, unscaled, and returns the maxima so far.
  private func scoreTiles(startingAt old: [LLVMValue]) -> [LLVMValue] {
    let tile = AttentionTiles.rows
    let words = plan.depthWords
    let queries = emitter.rows(emitter.queryScratch, block, words)
    return e.bottomTestedLoop(from: e.int(0), to: keyTiles, carrying: old) { index, maxima in
      let firstKey = e.mul(index, tile)
      let product = AttentionTiles.Product(
        broadcasts: e.offset(emitter.keyScratch, bytes: e.mul(firstKey, words * 4)),
        rowPitch: words * 4, stepPitch: 4, vectors: queries, vectorPitch: plan.queryBlock * 4,
        width: vectors)
      let zeros = Array(repeating: e.float(0, lanes: lanes), count: tile * vectors)
      let scores = tiles.add(product, count: words, to: zeros)
      var maxima = maxima
      for i in 0..<tile {
        let row = emitter.row(emitter.scores, e.int(0), rows: 0, e.add(firstKey, i))
        for j in 0..<vectors {
          let score = masked(scores[i * vectors + j], e.add(e.add(key, firstKey), i), j)
          maxima[j] = e.fmax(maxima[j], score)
          tiles.store(score, row, j)
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
    let rows = e.mul(keyTiles, AttentionTiles.rows)
    return e.bottomTestedLoop(from: e.int(0), to: rows, step: 2, carrying: sums) { key, sums in
      let first = emitter.row(emitter.scores, e.int(0), rows: 0, key)
      let second = e.offset(first, bytes: plan.queryBlock * 4)
      let pairRow = emitter.row(emitter.scores, e.int(0), rows: 0, e.div(key, 2))
      return (0..<vectors).map { j in
        let p = tiles.power(e.fma(tiles.load(first, j), factor, shifts[j]))
        let r = tiles.power(e.fma(tiles.load(second, j), factor, shifts[j]))
        if emitter.values == nil {
          // Only the sums are wanted.
        } else if plan.usesPairs {
          // Pair k/2 lies at or before row k, which has been read.
          tiles.store(tiles.pair(p, r), pairRow, j)
        } else {
          tiles.store(p, first, j)
          tiles.store(r, second, j)
        }
        return e.fadd(sums[j], e.fadd(p, r))
      }
    }
  }

  // MARK: Values

  /// `Oᵀ = correction · Oᵀ + Vᵀ·Pᵀ`.
  private func addValues(_ corrections: [LLVMValue]) {
    let tile = AttentionTiles.rows
    let steps = e.mul(keyTiles, tile / tiles.wordElements)
    e.loop(from: 0, to: plan.paddedDepth, step: tile) { channel, _ in
      let rows = (0..<tile).map {
        emitter.row(emitter.sumScratch, block, rows: plan.paddedDepth, e.add(channel, $0))
      }
      let start = rows.flatMap { row in
        (0..<vectors).map { e.fmul(tiles.load(row, $0), corrections[$0]) }
      }
      let product = AttentionTiles.Product(
        broadcasts: e.offset(emitter.valueScratch, bytes: e.mul(channel, 4)), rowPitch: 4,
        stepPitch: plan.paddedDepth * 4, vectors: emitter.scores,
        vectorPitch: plan.queryBlock * 4, width: vectors)
      let sums = tiles.add(product, count: steps, unroll: tile / tiles.wordElements, to: start)
      for (i, row) in rows.enumerated() {
        for j in 0..<vectors { tiles.store(sums[i * vectors + j], row, j) }
      }
      return []
    }
  }
}
