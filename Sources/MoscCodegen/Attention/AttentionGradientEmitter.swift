import MoscIR
import MoscLLVM

/// What a task of attention's backward pass reads and writes, of its head.
struct AttentionGradientOperands {
  let queries, keys, values, gradient: AttentionTokens
  /// `L` and `D` of the queries.
  let statistics, products: LLVMValue
  let byQueries, byKeys, byValues: AttentionTokens
}

/// The loops of one task over groups of key blocks and blocks of queries.
struct AttentionGradientEmitter {
  let e: FunctionEmitter
  let plan: AttentionGradientPlan
  let tiles: AttentionTiles
  private let operands: AttentionGradientOperands
  /// Per block of the group: keys and values `[word][key]`, keys `[key or pair][channel]`, sums
  /// `[channel][key]`.
  let keyColumns, valueColumns, keyRows, keySums, valueSums: LLVMValue
  /// A block of queries and the gradient of their results: `[query][word]`, and
  /// `[query or pair][channel]`, which are the same in f32.
  let queryRows, gradientRows, queryChannels, gradientChannels: LLVMValue
  /// `log₂ e · L` and `D` of the block, and the sums of its gradient `[query][channel]`.
  let statisticRows, productRows, querySums: LLVMValue
  /// `P` and `dS` `[query or pair][key]`, and `dS` `[query][key]`, in f32 the same.
  let probabilities, slopes, slopeRows: LLVMValue

  private var spec: AttentionSpec { plan.spec.attention }
  private var columnBytes: Int { plan.depthWords * plan.keyBlock * 4 }
  private var keyRowBytes: Int {
    plan.keyBlock / tiles.wordElements * plan.depthVectors * tiles.align
  }
  private var sumBytes: Int { plan.paddedDepth * plan.keyBlock * 4 }
  private var querySumBytes: Int { plan.queryBlock * plan.depthVectors * tiles.align }

  init(
    _ e: FunctionEmitter, _ plan: AttentionGradientPlan, _ operands: AttentionGradientOperands
  ) {
    self.e = e
    self.plan = plan
    let tiles = AttentionTiles(e: e, usesPairs: plan.usesPairs)
    self.tiles = tiles
    self.operands = operands
    let (slack, block) = (tiles.align, plan.keyBlock * 4)
    keyColumns = e.stackSlot(bytes: plan.group * plan.depthWords * block)
    valueColumns = e.stackSlot(bytes: plan.group * plan.depthWords * block)
    let channelBytes = plan.depthVectors * tiles.align
    keyRows = e.stackSlot(
      bytes: plan.group * plan.keyBlock / tiles.wordElements * channelBytes + slack)
    keySums = e.stackSlot(bytes: plan.group * plan.paddedDepth * block)
    valueSums = e.stackSlot(bytes: plan.group * plan.paddedDepth * block)
    let rows = { (words: Int) in e.stackSlot(bytes: plan.queryBlock * words * 4 + slack) }
    queryChannels = rows(plan.paddedDepth)
    gradientChannels = rows(plan.paddedDepth)
    queryRows = plan.usesPairs ? rows(plan.depthWords) : queryChannels
    gradientRows = plan.usesPairs ? rows(plan.depthWords) : gradientChannels
    statisticRows = rows(1)
    productRows = rows(1)
    querySums = e.stackSlot(bytes: plan.queryBlock * channelBytes)
    probabilities = e.stackSlot(bytes: plan.queryBlock * block)
    slopes = e.stackSlot(bytes: plan.queryBlock * block)
    slopeRows = plan.usesPairs ? e.stackSlot(bytes: plan.queryBlock * block / 2) : slopes
  }

  /// Words from a row of `queryRows` to the next.
  var rowWords: Int { plan.usesPairs ? plan.depthWords : plan.paddedDepth }

  func write() {
    clearQueries()
    // Channels past the depth stay what they are now.
    tiles.fill(keyRows, bytes: plan.group * keyRowBytes)
    e.loop(from: 0, to: plan.keyBlocks, step: plan.group) { firstBlock, _ in
      let blocks = e.min(e.sub(e.int(plan.keyBlocks), firstBlock), plan.group)
      func eachBlock(_ body: (LLVMValue, LLVMValue) -> Void) {
        e.loop(from: e.int(0), to: blocks) { block, _ in
          body(block, e.mul(e.add(firstBlock, block), plan.keyBlock))
          return []
        }
      }
      eachBlock(startBlock)
      let start = firstQuery(seeing: e.mul(firstBlock, plan.keyBlock))
      e.loop(from: start, to: e.int(spec.queryCount), step: plan.queryBlock) { query, _ in
        copyQueries(query)
        eachBlock { block, key in
          AttentionGradientBlock(self, block: block, key: key, query: query).accumulate()
        }
        addQueries(query)
        return []
      }
      eachBlock(finish)
      return []
    }
  }

  /// The first block of queries that see a key: all, or with `causal` those from `key − lead` on.
  private func firstQuery(seeing key: LLVMValue) -> LLVMValue {
    guard spec.isCausal else { return e.int(0) }
    let query = e.max(e.sub(key, spec.causalLead), e.int(0))
    return e.mul(e.div(query, plan.queryBlock), plan.queryBlock)
  }

  /// The scratch of one block of the group.
  func part(_ base: LLVMValue, _ block: LLVMValue, _ bytes: Int) -> LLVMValue {
    e.offset(base, bytes: e.mul(block, bytes))
  }
  func columns(_ base: LLVMValue, _ block: LLVMValue) -> LLVMValue {
    part(base, block, columnBytes)
  }
  func sums(_ base: LLVMValue, _ block: LLVMValue) -> LLVMValue { part(base, block, sumBytes) }
  func keyRows(_ block: LLVMValue) -> LLVMValue { part(keyRows, block, keyRowBytes) }

  // MARK: Keys

  private func startBlock(_ block: LLVMValue, _ key: LLVMValue) {
    for (tokens, scratch) in [(operands.keys, keyColumns), (operands.values, valueColumns)] {
      tiles.transpose(
        tokens, from: key, vectors: plan.vectors, words: plan.depthWords,
        into: columns(scratch, block))
    }
    tiles.copyByChannel(
      operands.keys, from: key, rows: e.int(plan.keyBlock / tiles.wordElements), depth: plan.depth,
      pitch: plan.depthVectors * plan.lanes, into: keyRows(block))
    tiles.fill(sums(keySums, block), bytes: sumBytes)
    tiles.fill(sums(valueSums, block), bytes: sumBytes)
  }

  private func finish(_ block: LLVMValue, _ key: LLVMValue) {
    let scale = Double(spec.scale)
    let results = [
      (keySums, operands.byKeys, scale), (valueSums, operands.byValues, 1),
    ]
    for (scratch, target, factor) in results {
      tiles.write(
        sums(scratch, block), vectors: plan.vectors, depth: plan.depth, to: target, from: key
      ) { _ in e.float(factor, lanes: plan.lanes) }
    }
  }

  // MARK: Queries

  /// Rearranges a block of queries and clears its sums.
  private func copyQueries(_ query: LLVMValue) {
    let sources = [
      (operands.queries, queryRows, queryChannels),
      (operands.gradient, gradientRows, gradientChannels),
    ]
    for (tokens, rows, channels) in sources {
      tiles.copyByChannel(
        tokens, from: query, rows: e.int(plan.queryBlock / tiles.wordElements),
        depth: plan.depth, pitch: plan.paddedDepth, into: channels)
      if plan.usesPairs {
        tiles.copy(
          tokens, from: query, rows: e.int(plan.queryBlock), words: plan.depthWords, into: rows)
      }
    }
    e.loop(from: 0, to: plan.queryBlock) { row, _ in
      let token = e.min(e.add(query, row), spec.queryCount - 1)
      func copy(
        _ base: LLVMValue, _ rows: AttentionGradientSpec.Rows, _ factor: Double,
        _ scratch: LLVMValue
      ) {
        let source = e.element(base, e.mul(token, rows.tokenPitch), .f32)
        let number = e.builder.load(e.f32, source, align: 4)
        e.builder.store(
          e.fmul(number, e.float(factor)), e.element(scratch, row, .f32), align: 4)
      }
      copy(operands.statistics, plan.spec.statistics, AttentionTiles.logTwoE, statisticRows)
      copy(operands.products, plan.spec.products, 1, productRows)
      return []
    }
    tiles.fill(querySums, bytes: querySumBytes)
  }

  private func eachChannelVector(_ body: (Int, Int) -> Void) {
    for channel in stride(from: 0, to: plan.depth, by: plan.lanes) {
      body(channel, min(plan.lanes, plan.depth - channel))
    }
  }

  private func clearQueries() {
    e.loop(from: 0, to: spec.queryCount) { query, _ in
      let token = operands.byQueries.token(e, query)
      eachChannelVector { channel, count in
        e.store(
          e.float(0, lanes: plan.lanes), as: .f32, e.offset(token, bytes: channel * 4),
          count: count)
      }
      return []
    }
  }

  /// Adds the sums of a block of queries to the result.
  private func addQueries(_ first: LLVMValue) {
    let count = e.min(e.sub(e.int(spec.queryCount), first), plan.queryBlock)
    let scale = e.float(Double(spec.scale), lanes: plan.lanes)
    e.loop(from: e.int(0), to: count) { row, _ in
      let token = operands.byQueries.token(e, e.add(first, row))
      let sums = e.offset(querySums, bytes: e.mul(row, plan.depthVectors * tiles.align))
      eachChannelVector { channel, valid in
        let target = e.offset(token, bytes: channel * 4)
        let old = e.load(.f32, target, lanes: plan.lanes, count: valid)
        let sum = tiles.load(sums, channel / plan.lanes)
        e.store(e.fma(sum, scale, old), as: .f32, target, count: valid)
      }
      return []
    }
  }
}
