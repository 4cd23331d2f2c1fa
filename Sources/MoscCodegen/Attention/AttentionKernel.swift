import MoscIR
import MoscLLVM

/// Writes attention kernels: blocks of keys with a running maximum and sum, so scores never leave
/// the cache (Dao et al. 2022).
///
/// Queries lie in the vector lanes: Sᵀ = K·Qᵀ and Oᵀ = Vᵀ·Pᵀ broadcast keys and values, and the
/// softmax needs no sum across lanes. A task owns a group of query blocks of one head; for each
/// block of keys it rearranges keys and values once, then updates every query block. Softmax in
/// f32; bf16 operands multiply in pairs, with probabilities rounded to bf16.
package enum AttentionKernel {
  /// The number of independent tasks.
  package static func tasks(_ spec: AttentionSpec, _ target: TargetFacts) -> Int {
    AttentionPlan(spec, target).tasks
  }

  /// Writes the code of task `task` into the function being written.
  ///
  /// Without values the result is `L[i] = ln Σ_j e^(scale · q[i]·k[j])`, f32 and a number per
  /// query.
  package static func emit(
    _ e: FunctionEmitter, _ spec: AttentionSpec, task: LLVMValue, queries: LLVMValue,
    keys: LLVMValue, values: LLVMValue?, output: LLVMValue
  ) throws {
    try spec.check(e.target)
    let plan = AttentionPlan(spec, e.target)
    let number = e.div(task, plan.groups)
    let (image, head) = (e.div(number, spec.heads), e.rem(number, spec.heads))
    func tokens(_ base: LLVMValue, _ place: AttentionOperand, _ count: Int) -> AttentionTokens {
      AttentionTokens(e, base, place, count: count, image: image, head: head)
    }
    let emitter = AttentionEmitter(
      e, plan, queries: tokens(queries, spec.queries, spec.queryCount),
      keys: tokens(keys, spec.keys, spec.keyCount),
      values: values.map { tokens($0, spec.values, spec.keyCount) },
      output: tokens(output, spec.output, spec.queryCount))
    emitter.write(group: e.rem(task, plan.groups))
  }
}

/// The loops of one task over key blocks and query blocks.
struct AttentionEmitter {
  let e: FunctionEmitter
  let plan: AttentionPlan
  let spec: AttentionSpec
  let tiles: AttentionTiles
  let queries, keys, output: AttentionTokens
  let values: AttentionTokens?
  /// Transposed queries `[group][word][query]`, sums `[group][channel][query]`, running maxima and
  /// sums `[group][query]`.
  let queryScratch, sumScratch, maxima, totals: LLVMValue
  /// A block of keys `[key][word]`, of values `[key or pair][channel]`, of scores `[key][query]`.
  let keyScratch, valueScratch, scores: LLVMValue

  init(
    _ e: FunctionEmitter, _ plan: AttentionPlan, queries: AttentionTokens, keys: AttentionTokens,
    values: AttentionTokens?, output: AttentionTokens
  ) {
    self.e = e
    self.plan = plan
    spec = plan.spec
    tiles = AttentionTiles(e: e, usesPairs: plan.usesPairs)
    (self.queries, self.keys, self.values, self.output) = (queries, keys, values, output)
    let rows = plan.queryBlock * 4
    let slack = tiles.align
    let channels = values == nil ? 0 : plan.paddedDepth
    queryScratch = e.stackSlot(bytes: plan.group * plan.depthWords * rows)
    sumScratch = e.stackSlot(bytes: max(plan.group * channels * rows, slack))
    maxima = e.stackSlot(bytes: plan.group * rows)
    totals = e.stackSlot(bytes: plan.group * rows)
    keyScratch = e.stackSlot(bytes: plan.blockKeys * plan.depthWords * 4 + slack)
    valueScratch = e.stackSlot(bytes: plan.blockKeys * channels * 4 + slack)
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
      let keyTiles = e.div(e.add(count, AttentionTiles.rows - 1), AttentionTiles.rows)
      tiles.copy(
        keys, from: key, rows: e.mul(keyTiles, AttentionTiles.rows), words: plan.depthWords,
        into: keyScratch)
      if let values {
        tiles.copyByChannel(
          values, from: key, rows: e.mul(keyTiles, AttentionTiles.rows / tiles.wordElements),
          depth: spec.depth, pitch: plan.paddedDepth, into: valueScratch)
      }
      e.loop(from: e.int(0), to: blocks) { block, _ in
        let query = e.add(firstQuery, e.mul(block, plan.queryBlock))
        let update = {
          AttentionBlock(self, block: block, query: query, key: key, keyTiles: keyTiles).write()
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

  /// The rows of one query block in such an array.
  func rows(_ base: LLVMValue, _ block: LLVMValue, _ rows: Int = 1) -> LLVMValue {
    row(base, block, rows: rows, e.int(0))
  }

  /// Transposes the queries of a block and clears its running values.
  private func start(_ block: LLVMValue, _ query: LLVMValue) {
    tiles.transpose(
      queries, from: query, vectors: plan.queryVectors, words: plan.depthWords,
      into: rows(queryScratch, block, plan.depthWords))
    let bytes = plan.queryBlock * 4
    if values != nil {
      tiles.fill(rows(sumScratch, block, plan.paddedDepth), bytes: plan.paddedDepth * bytes)
    }
    tiles.fill(rows(maxima, block), bytes: bytes, with: -1e30)
    tiles.fill(rows(totals, block), bytes: bytes)
  }

  private func finish(_ block: LLVMValue, _ query: LLVMValue) {
    let totals = rows(totals, block)
    guard values != nil else { return finishStatistics(block, totals, query) }
    tiles.write(
      rows(sumScratch, block, plan.paddedDepth), vectors: plan.queryVectors, depth: spec.depth,
      to: output, from: query
    ) { lane in
      e.fdiv(e.float(1, lanes: plan.lanes), tiles.load(e.offset(totals, bytes: lane), 0))
    }
  }

  /// Writes `L = scale · max + ln Σ` of the block's queries.
  private func finishStatistics(_ block: LLVMValue, _ totals: LLVMValue, _ query: LLVMValue) {
    let scale = e.float(Double(spec.scale), lanes: plan.lanes)
    for j in 0..<plan.queryVectors {
      let top = tiles.load(rows(maxima, block), j)
      tiles.store(e.fma(top, scale, e.log(tiles.load(totals, j))), totals, j)
    }
    // Lanes past the last query hold copies of it, so storing them again changes nothing.
    e.loop(from: 0, to: plan.queryBlock) { lane, _ in
      let value = e.builder.load(e.f32, e.offset(totals, bytes: e.mul(lane, 4)), align: 4)
      e.builder.store(value, output.token(e, e.add(query, lane)), align: 4)
      return []
    }
  }
}
