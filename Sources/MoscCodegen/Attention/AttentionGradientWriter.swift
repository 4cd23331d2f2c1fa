import MoscIR
import MoscLLVM

/// The loops of one task over blocks of rows, and the rearrangement of operands.
struct AttentionGradientWriter {
  let e: FunctionEmitter
  let plan: AttentionGradientPlan
  /// The operands in the lanes (A, B) and in the rows (C, D).
  let lanesFirst, rowsFirst: AttentionTokens
  let lanesSecond, rowsSecond: AttentionTokens?
  /// `L` and `D` of this head's queries.
  let statistics, products: LLVMValue?
  let output: AttentionTokens
  /// Lane tokens `[channel][token]`, rows `[row][channel]`, blocks `[row][token]`, sums
  /// `[channel][token]`, row numbers `[token]`.
  let firstScratch, secondScratch, firstRows, secondRows: LLVMValue
  let probabilities, slopes, firstSums, secondSums, laneStatistics, laneProducts: LLVMValue

  private var lanes: Int { plan.lanes }
  private var hasSecond: Bool { lanesSecond != nil }
  private var rowBytes: Int { plan.laneBlock * 4 }

  init(
    _ e: FunctionEmitter, _ plan: AttentionGradientPlan, lanesFirst: AttentionTokens,
    lanesSecond: AttentionTokens?, rowsFirst: AttentionTokens, rowsSecond: AttentionTokens?,
    statistics: LLVMValue?, products: LLVMValue?, output: AttentionTokens
  ) {
    self.e = e
    self.plan = plan
    (self.lanesFirst, self.lanesSecond) = (lanesFirst, lanesSecond)
    (self.rowsFirst, self.rowsSecond) = (rowsFirst, rowsSecond)
    (self.statistics, self.products, self.output) = (statistics, products, output)
    let (tokens, slack) = (plan.laneBlock * 4, plan.lanes * 4)
    let second = lanesSecond == nil ? 0 : 1
    let keys = plan.hasKeysInLanes ? 1 : 0
    firstScratch = e.stackSlot(bytes: plan.paddedDepth * tokens)
    secondScratch = e.stackSlot(bytes: max(plan.paddedDepth * tokens * second, 64))
    firstRows = e.stackSlot(bytes: plan.blockRows * plan.paddedDepth * 4 + slack)
    secondRows = e.stackSlot(
      bytes: max(plan.blockRows * plan.paddedDepth * 4 * second, 64) + slack)
    probabilities = e.stackSlot(bytes: plan.blockRows * tokens)
    slopes = e.stackSlot(bytes: max(plan.blockRows * tokens * second, 64))
    firstSums = e.stackSlot(bytes: max(plan.paddedDepth * tokens * second, 64))
    secondSums = e.stackSlot(bytes: max(plan.paddedDepth * tokens * keys, 64))
    laneStatistics = e.stackSlot(bytes: tokens)
    laneProducts = e.stackSlot(bytes: tokens)
  }

  func write(block: LLVMValue) {
    let first = e.mul(block, plan.laneBlock)
    gatherLanes(lanesFirst, first, into: firstScratch)
    if let lanesSecond {
      gatherLanes(lanesSecond, first, into: secondScratch)
      clear(firstSums)
      if plan.hasKeysInLanes { clear(secondSums) } else { gatherNumbers(first) }
    }
    // A causal query sees the keys up to its own number and the lead.
    var (start, end) = (e.int(0), e.int(plan.rowTokens))
    let lead = plan.spec.lead
    if plan.spec.attention.isCausal {
      if plan.hasKeysInLanes {
        let firstQuery = e.max(e.sub(first, lead), e.int(0))
        start = e.mul(e.div(firstQuery, plan.blockRows), plan.blockRows)
      } else {
        end = e.min(e.add(first, plan.laneBlock + lead), plan.rowTokens)
      }
    }
    if hasSecond {
      e.loop(from: start, to: end, step: plan.blockRows) { row, _ in
        copyRows(row)
        AttentionGradientBlock(self, firstToken: first, firstRow: row).accumulate()
        return []
      }
      finish(first)
      return
    }
    var running = (0..<plan.vectors).map { _ in e.float(-1e30, lanes: lanes) }
    running += (0..<plan.vectors).map { _ in e.float(0, lanes: lanes) }
    running = e.loop(from: start, to: end, step: plan.blockRows, carrying: running) {
      row, running in
      copyRows(row)
      return AttentionGradientBlock(self, firstToken: first, firstRow: row).sums(running)
    }
    finishStatistics(first, running)
  }

  // MARK: Operands

  /// Covers `extent` in whole vectors: the last one ends at the end and may overlap; an extent
  /// below one vector is a single partial one.
  private func vectors(_ extent: Int, _ body: (LLVMValue, Int) -> Void) {
    let width = Swift.min(extent, lanes)
    e.loop(from: 0, to: extent, step: width) { start, _ in
      body(e.min(start, extent - width), width)
      return []
    }
  }

  private func load(
    _ token: LLVMValue, _ dtype: DType, _ start: LLVMValue, _ count: Int
  ) -> LLVMValue {
    e.load(dtype, e.element(token, start, dtype), lanes: lanes, count: count)
  }

  /// Transposes a block of tokens: channels become rows.
  private func gatherLanes(_ source: AttentionTokens, _ first: LLVMValue, into scratch: LLVMValue) {
    e.loop(from: 0, to: plan.vectors) { vector, _ in
      let lane = e.mul(vector, lanes)
      vectors(plan.depth) { channel, count in
        let rows = (0..<lanes).map { i in
          let index = e.add(e.add(first, lane), i)
          return load(
            source.token(e, index, of: plan.laneTokens), source.place.dtype, channel, count)
        }
        for (i, column) in e.transpose(rows).prefix(count).enumerated() {
          let target = e.offset(scratch, bytes: e.mul(e.add(channel, i), rowBytes))
          e.store(column, as: .f32, e.offset(target, bytes: e.mul(lane, 4)), align: lanes * 4)
        }
      }
      return []
    }
  }

  private func clear(_ sums: LLVMValue) {
    e.loop(from: 0, to: plan.paddedDepth * plan.vectors) { index, _ in
      e.store(
        e.float(0, lanes: lanes), as: .f32, e.offset(sums, bytes: e.mul(index, lanes * 4)),
        align: lanes * 4)
      return []
    }
  }

  /// One row number of a query.
  func number(
    _ base: LLVMValue, _ rows: AttentionGradientSpec.Rows, _ query: LLVMValue
  ) -> LLVMValue {
    let index = e.mul(e.min(query, plan.spec.attention.queryCount - 1), rows.tokenPitch)
    return e.builder.load(e.f32, e.element(base, index, .f32), align: 4)
  }

  /// Puts the row numbers of the queries in the lanes side by side.
  private func gatherNumbers(_ first: LLVMValue) {
    guard let statistics, let products else { return }
    e.loop(from: 0, to: plan.laneBlock) { lane, _ in
      let query = e.add(first, lane)
      let bytes = e.mul(lane, 4)
      e.builder.store(
        number(statistics, plan.spec.statistics, query), e.offset(laneStatistics, bytes: bytes),
        align: 4)
      e.builder.store(
        number(products, plan.spec.products, query), e.offset(laneProducts, bytes: bytes), align: 4)
      return []
    }
  }

  /// Copies a block of rows so that they are adjacent and whole register tiles exist.
  private func copyRows(_ first: LLVMValue) {
    let second = rowsSecond.map { [($0, secondRows)] } ?? []
    for (source, scratch) in [(rowsFirst, firstRows)] + second {
      e.loop(from: 0, to: plan.blockRows) { row, _ in
        let token = source.token(e, e.add(first, row), of: plan.rowTokens)
        let target = e.offset(scratch, bytes: e.mul(row, plan.paddedDepth * 4))
        vectors(plan.depth) { channel, count in
          e.store(
            load(token, source.place.dtype, channel, count), as: .f32,
            e.offset(target, bytes: e.mul(channel, 4)))
        }
        return []
      }
    }
  }

  // MARK: Results

  private func finish(_ first: LLVMValue) {
    let scale = Double(plan.spec.attention.scale)
    write(firstSums, times: scale, first, part: 0)
    if plan.hasKeysInLanes { write(secondSums, times: 1, first, part: 1) }
  }

  /// Writes sums token by token; `part` counts whole results of this shape.
  private func write(_ sums: LLVMValue, times factor: Double, _ first: LLVMValue, part: Int) {
    let count = plan.spec.attention.batch * output.place.batchPitch
    let target = AttentionTokens(
      e.element(output.base, e.int(part * count), .f32), output.place)
    e.loop(from: 0, to: plan.vectors) { vector, _ in
      let lane = e.mul(vector, lanes)
      vectors(plan.depth) { channel, count in
        let columns = (0..<lanes).map { i in
          guard i < count else { return e.float(0, lanes: lanes) }
          let row = e.offset(sums, bytes: e.mul(e.add(channel, i), rowBytes))
          let sum = e.load(
            .f32, e.offset(row, bytes: e.mul(lane, 4)), lanes: lanes, align: lanes * 4)
          return factor == 1 ? sum : e.fmul(sum, e.float(factor, lanes: lanes))
        }
        // Lanes past the last token hold copies of it, so storing them again changes nothing.
        for (i, value) in e.transpose(columns).enumerated() {
          let token = target.token(e, e.add(e.add(first, lane), i), of: plan.laneTokens)
          e.store(value, as: .f32, e.element(token, channel, .f32), count: count)
        }
      }
      return []
    }
  }

  /// Writes `L = scale · max + ln Σ` of the block's queries.
  private func finishStatistics(_ first: LLVMValue, _ running: [LLVMValue]) {
    let scale = e.float(Double(plan.spec.attention.scale), lanes: lanes)
    for j in 0..<plan.vectors {
      let value = e.fma(running[j], scale, e.log(running[plan.vectors + j]))
      e.store(
        value, as: .f32, e.offset(laneStatistics, bytes: j * lanes * 4), align: lanes * 4)
    }
    let count = e.min(e.sub(e.int(plan.laneTokens), first), plan.laneBlock)
    e.loop(from: e.int(0), to: count) { lane, _ in
      let value = e.builder.load(
        e.f32, e.offset(laneStatistics, bytes: e.mul(lane, 4)), align: 4)
      e.builder.store(
        value, output.token(e, e.add(first, lane), of: plan.laneTokens), align: 4)
      return []
    }
  }
}
