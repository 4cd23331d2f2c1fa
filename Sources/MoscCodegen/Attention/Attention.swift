import MoscIR
import MoscLLVM

/// Writes attention kernels: blocks of keys with a running maximum and sum, so scores never leave
/// the cache (Dao et al. 2022).
///
/// Queries lie in the vector lanes: Sᵀ = K·Qᵀ and Oᵀ = Vᵀ·Pᵀ broadcast keys and values, and the
/// softmax needs no sum across lanes. A task owns a group of query blocks of one head; for each
/// block of keys it rearranges keys and values once, then updates every query block. Softmax in
/// f32; bf16 operands multiply in pairs, with probabilities rounded to bf16.
package enum Attention {
  /// The number of independent tasks.
  package static func tasks(_ spec: AttentionSpec, _ target: TargetFacts) -> Int {
    AttentionPlan(spec, target).tasks
  }

  /// Writes the code of task `task` into the function being written.
  package static func emit(
    _ e: FunctionEmitter, _ spec: AttentionSpec, task: LLVMValue, queries: LLVMValue,
    keys: LLVMValue, values: LLVMValue, output: LLVMValue
  ) throws {
    try spec.check()
    let plan = AttentionPlan(spec, e.target)
    let head = e.div(task, plan.groups)
    let (image, h) = (e.div(head, spec.heads), e.rem(head, spec.heads))
    func start(_ base: LLVMValue, _ operand: AttentionOperand) -> LLVMValue {
      let index = e.add(
        e.add(e.mul(image, operand.batchPitch), e.mul(h, operand.headPitch)), operand.offset)
      return e.element(base, index, operand.dtype)
    }
    let writer = AttentionWriter(
      e, plan, queries: start(queries, spec.queries), keys: start(keys, spec.keys),
      values: start(values, spec.values), output: start(output, spec.output))
    writer.write(group: e.rem(task, plan.groups))
  }
}

/// The loops of one task over key blocks and query blocks, and the rearrangement of operands.
struct AttentionWriter {
  let e: FunctionEmitter
  let plan: AttentionPlan
  let spec: AttentionSpec
  let lanes: Int
  let queries, keys, values, output: LLVMValue
  /// Transposed queries `[group][word][query]`, sums `[group][channel][query]`, running maxima and
  /// sums `[group][query]`.
  let queryScratch, sumScratch, maxima, totals: LLVMValue
  /// A block of keys `[key][word]`, of values `[key or pair][channel]`, of scores `[key][query]`.
  let keyScratch, valueScratch, scores: LLVMValue

  init(
    _ e: FunctionEmitter, _ plan: AttentionPlan, queries: LLVMValue, keys: LLVMValue,
    values: LLVMValue, output: LLVMValue
  ) {
    self.e = e
    self.plan = plan
    spec = plan.spec
    lanes = plan.lanes
    (self.queries, self.keys, self.values, self.output) = (queries, keys, values, output)
    let rows = plan.queryBlock * 4
    // Rows are written in whole vectors, so scratch has a vector of slack.
    let slack = plan.lanes * 4
    queryScratch = e.stackSlot(bytes: plan.group * plan.depthWords * rows)
    sumScratch = e.stackSlot(bytes: plan.group * plan.paddedDepth * rows)
    maxima = e.stackSlot(bytes: plan.group * rows)
    totals = e.stackSlot(bytes: plan.group * rows)
    keyScratch = e.stackSlot(bytes: plan.blockKeys * plan.depthWords * 4 + slack)
    valueScratch = e.stackSlot(bytes: plan.blockKeys * plan.paddedDepth * 4 + slack)
    scores = e.stackSlot(bytes: plan.blockKeys * rows)
  }

  func write(group: LLVMValue) {
    let firstBlock = e.mul(group, plan.group)
    let blocks = e.min(e.sub(e.int(plan.queryBlocks), firstBlock), plan.group)
    let firstQuery = e.mul(firstBlock, plan.queryBlock)
    e.loop(from: e.int(0), to: blocks) { block, _ in
      start(block, e.add(firstQuery, e.mul(block, plan.queryBlock)))
      return []
    }
    var end = e.int(spec.keyCount)
    if spec.isCausal {
      let lastQuery = e.add(firstQuery, e.mul(blocks, plan.queryBlock))
      end = e.min(e.add(lastQuery, spec.causalLead), spec.keyCount)
    }
    e.loop(from: e.int(0), to: end, step: plan.blockKeys) { key, _ in
      let count = e.min(e.sub(e.int(spec.keyCount), key), plan.blockKeys)
      let tiles = e.div(e.add(count, AttentionPlan.tile - 1), AttentionPlan.tile)
      copyKeys(key, tiles)
      copyValues(key, tiles)
      e.loop(from: e.int(0), to: blocks) { block, _ in
        let query = e.add(firstQuery, e.mul(block, plan.queryBlock))
        let update = {
          AttentionBlock(self, block: block, query: query, key: key, tiles: tiles).write()
          return [LLVMValue]()
        }
        if spec.isCausal {
          let sees = e.builder.compare(
            .less, key, e.add(query, plan.queryBlock + spec.causalLead))
          e.branch(if: sees, update)
        } else {
          _ = update()
        }
        return []
      }
      return []
    }
    e.loop(from: e.int(0), to: blocks) { block, _ in
      finish(block, e.add(firstQuery, e.mul(block, plan.queryBlock)))
      return []
    }
  }

  /// The address of a row of one query block in a scratch array of `rows` rows per block.
  func row(_ base: LLVMValue, _ block: LLVMValue, rows: Int, _ row: LLVMValue) -> LLVMValue {
    e.offset(base, bytes: e.mul(e.add(e.mul(block, rows), row), plan.queryBlock * 4))
  }

  /// The first element of a token, tokens past the end repeating the last one.
  private func token(
    _ base: LLVMValue, _ operand: AttentionOperand, _ index: LLVMValue, of count: Int
  ) -> LLVMValue {
    e.element(base, e.mul(e.min(index, count - 1), operand.tokenPitch), operand.dtype)
  }

  /// Covers `extent` in whole vectors: the last one ends at the end and may overlap; an extent
  /// below one vector is a single partial one. The body gets the start and the valid lanes.
  private func vectors(_ extent: Int, _ body: (LLVMValue, Int) -> Void) {
    let width = Swift.min(extent, lanes)
    e.loop(from: 0, to: extent, step: width) { start, _ in
      body(e.min(start, extent - width), width)
      return []
    }
  }

  /// Words of a token: pairs of bf16 as they are, or numbers converted to f32.
  private func words(
    _ token: LLVMValue, _ dtype: DType, _ start: LLVMValue, _ count: Int
  ) -> LLVMValue {
    if plan.usesPairs {
      let bytes = e.offset(token, bytes: e.mul(start, 4))
      return e.fromBits(e.loadRaw(.i32, bytes, lanes: lanes, count: count, align: 2))
    }
    return e.load(dtype, e.element(token, start, dtype), lanes: lanes, count: count)
  }

  /// Transposes the queries of a block and clears its running values.
  private func start(_ block: LLVMValue, _ query: LLVMValue) {
    e.loop(from: 0, to: plan.queryVectors) { vector, _ in
      let lane = e.mul(vector, lanes)
      let laneBytes = e.mul(lane, 4)
      vectors(plan.depthWords) { word, count in
        let rows = (0..<lanes).map { i in
          let index = e.add(e.add(query, lane), i)
          let source = token(queries, spec.queries, index, of: spec.queryCount)
          return words(source, spec.queries.dtype, word, count)
        }
        for (i, column) in e.transpose(rows).prefix(count).enumerated() {
          let target = row(queryScratch, block, rows: plan.depthWords, e.add(word, i))
          e.store(column, as: .f32, e.offset(target, bytes: laneBytes), align: lanes * 4)
        }
      }
      let zero = e.float(0, lanes: lanes)
      e.loop(from: 0, to: plan.paddedDepth) { channel, _ in
        let target = row(sumScratch, block, rows: plan.paddedDepth, channel)
        e.store(zero, as: .f32, e.offset(target, bytes: laneBytes), align: lanes * 4)
        return []
      }
      for (base, value) in [(maxima, -1e30), (totals, 0)] {
        let target = e.offset(row(base, block, rows: 1, e.int(0)), bytes: laneBytes)
        e.store(e.float(value, lanes: lanes), as: .f32, target, align: lanes * 4)
      }
      return []
    }
  }

  /// Copies a block of keys so that its rows are adjacent and whole register tiles exist.
  private func copyKeys(_ first: LLVMValue, _ tiles: LLVMValue) {
    e.loop(from: e.int(0), to: e.mul(tiles, AttentionPlan.tile)) { key, _ in
      let source = token(keys, spec.keys, e.add(first, key), of: spec.keyCount)
      let target = e.offset(keyScratch, bytes: e.mul(key, plan.depthWords * 4))
      vectors(plan.depthWords) { word, count in
        e.store(
          words(source, spec.keys.dtype, word, count), as: .f32,
          e.offset(target, bytes: e.mul(word, 4)))
      }
      return []
    }
  }

  /// Copies a block of values; bf16 pairs two keys of a channel in a word.
  private func copyValues(_ first: LLVMValue, _ tiles: LLVMValue) {
    let perRow = plan.usesPairs ? 2 : 1
    let rows = e.mul(tiles, AttentionPlan.tile / perRow)
    e.loop(from: e.int(0), to: rows) { index, _ in
      let key = e.add(first, e.mul(index, perRow))
      let target = e.offset(valueScratch, bytes: e.mul(index, plan.paddedDepth * 4))
      func source(_ i: Int) -> LLVMValue {
        token(values, spec.values, e.add(key, i), of: spec.keyCount)
      }
      vectors(spec.depth) { channel, count in
        func raw(_ i: Int) -> LLVMValue {
          let bits = e.loadRaw(
            .bf16, e.element(source(i), channel, .bf16), lanes: lanes, count: count)
          return e.builder.cast(.zext, bits, e.intType(lanes))
        }
        let value =
          plan.usesPairs
          ? e.fromBits(e.builder.binary(.or, raw(0), e.shl(raw(1), 16)))
          : words(source(0), spec.values.dtype, channel, count)
        e.store(value, as: .f32, e.offset(target, bytes: e.mul(channel, 4)))
      }
      return []
    }
  }

  /// Divides the sums of a block by its totals and writes them token by token.
  private func finish(_ block: LLVMValue, _ query: LLVMValue) {
    e.loop(from: 0, to: plan.queryVectors) { vector, _ in
      let lane = e.mul(vector, lanes)
      let laneBytes = e.mul(lane, 4)
      let total = e.load(
        .f32, e.offset(row(totals, block, rows: 1, e.int(0)), bytes: laneBytes), lanes: lanes,
        align: lanes * 4)
      let inverse = e.fdiv(e.float(1, lanes: lanes), total)
      vectors(spec.depth) { channel, count in
        let columns = (0..<lanes).map { i in
          guard i < count else { return e.float(0, lanes: lanes) }
          let source = row(sumScratch, block, rows: plan.paddedDepth, e.add(channel, i))
          let sum = e.load(
            .f32, e.offset(source, bytes: laneBytes), lanes: lanes, align: lanes * 4)
          return e.fmul(sum, inverse)
        }
        // Lanes past the last query hold copies of it, so storing them again changes nothing.
        for (i, value) in e.transpose(columns).enumerated() {
          let index = e.add(e.add(query, lane), i)
          let target = token(output, spec.output, index, of: spec.queryCount)
          e.store(
            value, as: spec.output.dtype, e.element(target, channel, spec.output.dtype),
            count: count)
        }
      }
      return []
    }
  }
}
