import MoscIR
import MoscLLVM

/// What one block of queries and one block of keys add to each other's gradients.
struct AttentionGradientBlock {
  let e: FunctionEmitter
  let plan: AttentionGradientPlan
  let emitter: AttentionGradientEmitter
  let tiles: AttentionTiles
  let block, key, query: LLVMValue

  private var lanes: Int { plan.lanes }
  private var vectors: Int { plan.vectors }
  private var tile: Int { AttentionTiles.rows }
  private var blockBytes: Int { plan.keyBlock * 4 }

  init(
    _ emitter: AttentionGradientEmitter, block: LLVMValue, key: LLVMValue, query: LLVMValue
  ) {
    e = emitter.e
    plan = emitter.plan
    self.emitter = emitter
    tiles = emitter.tiles
    (self.block, self.key, self.query) = (block, key, query)
  }

  func accumulate() {
    e.loop(from: 0, to: plan.queryBlock, step: tile) { row, _ in
      writeSlopes(row)
      return []
    }
    addToKeys(emitter.queryChannels, emitter.slopes, emitter.sums(emitter.keySums, block))
    addToKeys(
      emitter.gradientChannels, emitter.probabilities, emitter.sums(emitter.valueSums, block))
    addToQueries()
  }

  // MARK: Probabilities

  /// Writes `P` and `dS` of a tile of queries.
  private func writeSlopes(_ first: LLVMValue) {
    let factor = e.float(
      Double(plan.spec.attention.scale) * AttentionTiles.logTwoE, lanes: lanes)
    let scores = product(emitter.queryRows, first, emitter.columns(emitter.keyColumns, block))
    var probabilities: [LLVMValue] = []
    for i in 0..<tile {
      let row = e.add(first, i)
      let statistic = number(emitter.statisticRows, row)
      for j in 0..<vectors {
        let power = tiles.power(e.fsub(e.fmul(scores[i * vectors + j], factor), statistic))
        probabilities.append(masked(power, row, j))
      }
    }
    store(probabilities, first, emitter.probabilities)
    let products = product(
      emitter.gradientRows, first, emitter.columns(emitter.valueColumns, block))
    var slopes: [LLVMValue] = []
    for i in 0..<tile {
      let product = number(emitter.productRows, e.add(first, i))
      for j in 0..<vectors {
        let index = i * vectors + j
        slopes.append(e.fmul(probabilities[index], e.fsub(products[index], product)))
      }
    }
    store(slopes, first, emitter.slopes)
    guard plan.usesPairs else { return }
    for i in 0..<tile {
      let line = e.offset(
        emitter.slopeRows, bytes: e.mul(e.add(first, i), plan.keyBlock * 2))
      for j in 0..<vectors {
        e.store(slopes[i * vectors + j], as: .bf16, e.offset(line, bytes: j * lanes * 2))
      }
    }
  }

  /// Stores a tile of rows, or of pairs of rows.
  private func store(_ values: [LLVMValue], _ first: LLVMValue, _ scratch: LLVMValue) {
    let perWord = tiles.wordElements
    for i in stride(from: 0, to: tile, by: perWord) {
      let row = e.div(e.add(first, i), perWord)
      let line = e.offset(scratch, bytes: e.mul(row, blockBytes))
      for j in 0..<vectors {
        let value = values[i * vectors + j]
        tiles.store(
          plan.usesPairs ? tiles.pair(value, values[(i + 1) * vectors + j]) : value, line, j)
      }
    }
  }

  /// `L` or `D` of a query in all lanes.
  private func number(_ rows: LLVMValue, _ row: LLVMValue) -> LLVMValue {
    e.splat(e.builder.load(e.f32, e.element(rows, row, .f32), align: 4), lanes)
  }

  /// `Σ_channel rows[query][channel] · columns[channel][key]` for a tile of queries.
  private func product(
    _ rows: LLVMValue, _ first: LLVMValue, _ columns: LLVMValue
  ) -> [LLVMValue] {
    let pitch = emitter.rowWords * 4
    let product = AttentionTiles.Product(
      broadcasts: e.offset(rows, bytes: e.mul(first, pitch)), rowPitch: pitch, stepPitch: 4,
      vectors: columns, vectorPitch: blockBytes, width: vectors)
    let zeros = Array(repeating: e.float(0, lanes: lanes), count: tile * vectors)
    return tiles.add(product, count: plan.depthWords, to: zeros)
  }

  /// The probability, or 0 where there is no such query or key, or the one does not see the other.
  private func masked(_ value: LLVMValue, _ row: LLVMValue, _ vector: Int) -> LLVMValue {
    let shape = plan.spec.attention
    let zero = e.float(0, lanes: lanes)
    let query = e.add(self.query, row)
    var value = value
    if shape.queryCount % plan.queryBlock != 0 {
      let exists = e.builder.compare(.less, query, e.int(shape.queryCount))
      value = e.builder.select(exists, value, zero)
    }
    guard shape.isCausal || shape.keyCount % plan.keyBlock != 0 else { return value }
    let base = e.builder.cast(.trunc, e.add(key, vector * lanes), e.intType(1))
    let keys = e.add(e.splat(base, lanes), e.laneNumbers(lanes))
    let last = e.int32(shape.keyCount - 1)
    value = e.builder.select(
      e.builder.compare(.greaterOrEqual, e.splat(last, lanes), keys), value, zero)
    guard shape.isCausal else { return value }
    let limit = e.builder.cast(.trunc, e.add(query, shape.causalLead), e.intType(1))
    let sees = e.builder.compare(.greaterOrEqual, e.splat(limit, lanes), keys)
    return e.builder.select(sees, value, zero)
  }

  // MARK: Sums

  /// `sums[channel][key] += Σ_query channels[query][channel] · block[query][key]`.
  private func addToKeys(_ channels: LLVMValue, _ scratch: LLVMValue, _ sums: LLVMValue) {
    e.loop(from: 0, to: plan.paddedDepth, step: tile) { channel, _ in
      let product = AttentionTiles.Product(
        broadcasts: e.offset(channels, bytes: e.mul(channel, 4)), rowPitch: 4,
        stepPitch: plan.paddedDepth * 4, vectors: scratch, vectorPitch: blockBytes,
        width: vectors)
      add(
        product, count: plan.queryBlock / tiles.wordElements,
        to: e.offset(sums, bytes: e.mul(channel, blockBytes)), pitch: blockBytes)
      return []
    }
  }

  /// `sums[query][channel] += Σ_key slopes[query][key] · keys[key][channel]`.
  private func addToQueries() {
    let pitch = plan.depthVectors * tiles.align
    let slopePitch = blockBytes / tiles.wordElements
    // Channels in tiles of up to four vectors, as even as they get.
    let parts = (plan.depthVectors + vectorLimit - 1) / vectorLimit
    e.loop(from: 0, to: plan.queryBlock, step: tile) { row, _ in
      for part in 0..<parts {
        let first = part * plan.depthVectors / parts
        let width = (part + 1) * plan.depthVectors / parts - first
        let product = AttentionTiles.Product(
          broadcasts: e.offset(emitter.slopeRows, bytes: e.mul(row, slopePitch)),
          rowPitch: slopePitch, stepPitch: 4,
          vectors: e.offset(emitter.keyRows(block), bytes: first * tiles.align),
          vectorPitch: pitch, width: width)
        let sums = e.offset(emitter.querySums, bytes: first * tiles.align)
        add(
          product, count: plan.keyBlock / tiles.wordElements,
          to: e.offset(sums, bytes: e.mul(row, pitch)), pitch: pitch)
      }
      return []
    }
  }

  private var vectorLimit: Int { e.target.vectorRegisters >= 32 ? 4 : 2 }

  /// Adds a product to a tile of sums in memory.
  private func add(
    _ product: AttentionTiles.Product, count: Int, to sums: LLVMValue, pitch: Int
  ) {
    let lines = (0..<tile).map { e.offset(sums, bytes: $0 * pitch) }
    let old = lines.flatMap { line in (0..<product.width).map { tiles.load(line, $0) } }
    let new = tiles.add(product, count: count, to: old)
    for (i, line) in lines.enumerated() {
      for j in 0..<product.width { tiles.store(new[i * product.width + j], line, j) }
    }
  }
}
