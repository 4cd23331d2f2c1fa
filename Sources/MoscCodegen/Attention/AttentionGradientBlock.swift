import MoscIR
import MoscLLVM

/// What one block of rows adds to one block of lane tokens.
struct AttentionGradientBlock {
  let e: FunctionEmitter
  let plan: AttentionGradientPlan
  let writer: AttentionGradientWriter
  let firstToken, firstRow: LLVMValue

  private var lanes: Int { plan.lanes }
  private var vectors: Int { plan.vectors }
  private var align: Int { plan.lanes * 4 }
  private var rowBytes: Int { plan.laneBlock * 4 }
  private var tile: Int { AttentionGradientPlan.tile }
  private var tiles: Int { plan.blockRows / tile }

  init(_ writer: AttentionGradientWriter, firstToken: LLVMValue, firstRow: LLVMValue) {
    e = writer.e
    plan = writer.plan
    self.writer = writer
    (self.firstToken, self.firstRow) = (firstToken, firstRow)
  }

  private func load(_ row: LLVMValue, _ vector: Int) -> LLVMValue {
    e.load(.f32, e.offset(row, bytes: vector * align), lanes: lanes, align: align)
  }
  private func store(_ value: LLVMValue, _ row: LLVMValue, _ vector: Int) {
    e.store(value, as: .f32, e.offset(row, bytes: vector * align), align: align)
  }
  private func row(_ base: LLVMValue, _ index: LLVMValue) -> LLVMValue {
    e.offset(base, bytes: e.mul(index, rowBytes))
  }

  // MARK: Statistics

  /// Running maxima of unscaled scores and sums of exponentials, with this block's added.
  func sums(_ running: [LLVMValue]) -> [LLVMValue] {
    let old = Array(running[..<vectors])
    let top = e.loop(from: 0, to: tiles, carrying: old) { index, maxima in
      let first = e.mul(index, tile)
      let scores = product(writer.firstRows, first, writer.firstScratch)
      var maxima = maxima
      for i in 0..<tile {
        for j in 0..<vectors {
          let row = e.add(first, i)
          let score = masked(scores[i * vectors + j], e.add(firstRow, row), j, hidden: -1e30)
          maxima[j] = e.fmax(maxima[j], score)
          store(score, self.row(writer.probabilities, row), j)
        }
      }
      return maxima
    }
    let factor = e.float(scaleOfTwo, lanes: lanes)
    let start = (0..<vectors).map { j in
      e.fmul(running[vectors + j], e.exp2(e.fmul(e.fsub(old[j], top[j]), factor)))
    }
    let totals = e.loop(from: 0, to: plan.blockRows, carrying: start) { index, sums in
      let line = row(writer.probabilities, index)
      return (0..<vectors).map { j in
        e.fadd(sums[j], e.exp2(e.fmul(e.fsub(load(line, j), top[j]), factor)))
      }
    }
    return top + totals
  }

  /// The scale of scores for powers of two.
  private var scaleOfTwo: Double { Double(plan.spec.attention.scale) * 1.442_695_040_888_963_4 }

  // MARK: Gradients

  /// Adds the block's products to the sums.
  func accumulate() {
    e.loop(from: 0, to: tiles) { index, _ in
      slopes(e.mul(index, tile))
      return []
    }
    addRows(writer.firstRows, writer.slopes, to: writer.firstSums)
    if plan.hasKeysInLanes {
      addRows(writer.secondRows, writer.probabilities, to: writer.secondSums)
    }
  }

  /// Writes `P` and `dS` of a tile of rows.
  private func slopes(_ first: LLVMValue) {
    let factor = e.float(scaleOfTwo, lanes: lanes)
    let toTwo = e.float(1.442_695_040_888_963_4, lanes: lanes)
    let scores = product(writer.firstRows, first, writer.firstScratch)
    var probabilities: [LLVMValue] = []
    for i in 0..<tile {
      let index = e.add(first, i)
      for j in 0..<vectors {
        let statistic = e.fmul(rowNumber(.statistics, index, j), toTwo)
        let power = e.exp2(e.fsub(e.fmul(scores[i * vectors + j], factor), statistic))
        let p = masked(power, e.add(firstRow, index), j, hidden: 0)
        probabilities.append(p)
        store(p, row(writer.probabilities, index), j)
      }
    }
    let products = product(writer.secondRows, first, writer.secondScratch)
    for i in 0..<tile {
      let index = e.add(first, i)
      for j in 0..<vectors {
        let change = e.fsub(products[i * vectors + j], rowNumber(.products, index, j))
        store(
          e.fmul(probabilities[i * vectors + j], change), row(writer.slopes, index), j)
      }
    }
  }

  private enum RowNumber { case statistics, products }

  /// `L` or `D` of the query of each element: of the lanes, or of the row.
  private func rowNumber(_ kind: RowNumber, _ index: LLVMValue, _ vector: Int) -> LLVMValue {
    if !plan.hasKeysInLanes {
      return load(kind == .statistics ? writer.laneStatistics : writer.laneProducts, vector)
    }
    let query = e.add(firstRow, index)
    let place = kind == .statistics ? plan.spec.statistics : plan.spec.products
    guard let base = kind == .statistics ? writer.statistics : writer.products else {
      return e.float(0, lanes: lanes)
    }
    return e.splat(writer.number(base, place, query), lanes)
  }

  /// The value, or a constant where there is no such row or the query does not see the key.
  private func masked(
    _ value: LLVMValue, _ row: LLVMValue, _ vector: Int, hidden: Double
  ) -> LLVMValue {
    var value = value
    let other = e.float(hidden, lanes: lanes)
    if plan.rowTokens % plan.blockRows != 0 {
      let exists = e.builder.compare(.less, row, e.int(plan.rowTokens))
      value = e.builder.select(exists, value, other)
    }
    guard plan.spec.attention.isCausal else { return value }
    let base = e.builder.cast(.trunc, e.add(firstToken, vector * lanes), e.intType(1))
    let last = e.splat(e.int32(plan.laneTokens - 1), lanes)
    let tokens = e.min(e.add(e.splat(base, lanes), e.laneNumbers(lanes)), last)
    let rows = e.splat(e.builder.cast(.trunc, row, e.intType(1)), lanes)
    let (queries, keys) = plan.hasKeysInLanes ? (rows, tokens) : (tokens, rows)
    let sees = e.builder.compare(.greaterOrEqual, e.add(queries, plan.spec.lead), keys)
    return e.builder.select(sees, value, other)
  }

  // MARK: Products

  /// `Σ_channel rows[r][channel] · scratch[channel][token]` for a tile of rows.
  private func product(
    _ rows: LLVMValue, _ first: LLVMValue, _ scratch: LLVMValue
  ) -> [LLVMValue] {
    let pitch = plan.paddedDepth * 4
    let zeros = Array(repeating: e.float(0, lanes: lanes), count: tile * vectors)
    let base = e.offset(rows, bytes: e.mul(first, pitch))
    return sum(
      plan.depth, zeros, broadcasts: base, broadcastPitch: pitch, stepPitch: 4, vectors: scratch)
  }

  /// `sums[channel][token] += Σ_row rows[row][channel] · block[row][token]`.
  private func addRows(_ rows: LLVMValue, _ block: LLVMValue, to sums: LLVMValue) {
    e.loop(from: 0, to: plan.paddedDepth, step: tile) { channel, _ in
      let lines = (0..<tile).map { row(sums, e.add(channel, $0)) }
      let start = lines.flatMap { line in (0..<vectors).map { load(line, $0) } }
      let total = sum(
        plan.blockRows, start, broadcasts: e.offset(rows, bytes: e.mul(channel, 4)),
        broadcastPitch: 4, stepPitch: plan.paddedDepth * 4, vectors: block)
      for (i, line) in lines.enumerated() {
        for j in 0..<vectors { store(total[i * vectors + j], line, j) }
      }
      return []
    }
  }

  private func sum(
    _ count: Int, _ start: [LLVMValue], broadcasts: LLVMValue, broadcastPitch: Int, stepPitch: Int,
    vectors base: LLVMValue
  ) -> [LLVMValue] {
    func step(_ k: LLVMValue, plus: Int, _ sums: [LLVMValue]) -> [LLVMValue] {
      let line = e.offset(row(base, k), bytes: plus * rowBytes)
      let scalars = e.offset(
        e.offset(broadcasts, bytes: e.mul(k, stepPitch)), bytes: plus * stepPitch)
      let columns = (0..<vectors).map { load(line, $0) }
      var sums = sums
      for i in 0..<tile {
        let address = e.offset(scalars, bytes: i * broadcastPitch)
        let x = e.splat(e.builder.load(e.f32, address, align: 4), lanes)
        for j in 0..<vectors {
          sums[i * vectors + j] = e.fma(x, columns[j], sums[i * vectors + j])
        }
      }
      return sums
    }
    let unroll = 4
    let whole = count / unroll * unroll
    var sums = e.loop(from: 0, to: whole, step: unroll, carrying: start) { k, sums in
      (0..<unroll).reduce(sums) { step(k, plus: $1, $0) }
    }
    for rest in whole..<count { sums = step(e.int(rest), plus: 0, sums) }
    return sums
  }
}
