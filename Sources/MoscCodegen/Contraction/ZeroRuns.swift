import MoscIR
import MoscLLVM

/// Which depth blocks of a task's inputs are not all zero, for each register tile of rows: those that are add
/// nothing, so the products are left out.
struct ZeroRuns {
  private let e: FunctionEmitter
  private let plan: ContractionPlan
  /// A number per tile and depth block, 0 where all inputs are.
  private let marks: LLVMValue

  /// - Returns: nil unless the contraction says that inputs may be zero, and its depth is cut in equal blocks.
  init?(_ e: FunctionEmitter, _ plan: ContractionPlan) {
    guard plan.spec.skipsZeros, plan.segments == 1, plan.hasEqualBlocks, plan.spec.dtype != .q8,
      plan.blockLength * plan.spec.dtype.byteSize % 4 == 0
    else { return nil }
    (self.e, self.plan) = (e, plan)
    marks = e.stackSlot(bytes: plan.tilesPerBlock * plan.blocksPerSegment * 4)
  }

  private func place(_ tile: LLVMValue, _ block: LLVMValue) -> LLVMValue {
    e.offset(marks, bytes: e.mul(e.add(e.mul(tile, plan.blocksPerSegment), block), 4))
  }

  /// Looks through the inputs of a task.
  ///
  /// - Parameter row: The address of an input row of a tile.
  func look(tiles: LLVMValue, row: (_ tile: LLVMValue, _ row: Int) -> LLVMValue) {
    let bytes = plan.blockLength * plan.spec.dtype.byteSize
    e.loop(from: e.int(0), to: tiles) { tile, _ in
      let starts = (0..<plan.tile.rows).map { row(tile, $0) }
      e.loop(from: e.int(0), to: e.int(plan.blocksPerSegment)) { block, _ in
        let inputs = starts.map { e.offset($0, bytes: e.mul(block, bytes)) }
        e.builder.store(anyBits(inputs, words: bytes / 4), place(tile, block), align: 4)
        return []
      }
      return []
    }
  }

  /// The bits, but for signs, that any of some words has.
  private func anyBits(_ inputs: [LLVMValue], words: Int) -> LLVMValue {
    let signs = plan.spec.dtype == .bf16 ? 0x7fff_7fff : 0x7fff_ffff
    var all = e.int32(0)
    var first = 0
    while first < words {
      var lanes = plan.lanes
      while lanes > words - first { lanes /= 2 }
      var bits = e.int(0, type: e.intType(lanes))
      for input in inputs {
        let word = e.builder.load(e.intType(lanes), e.offset(input, bytes: first * 4), align: 2)
        bits = e.builder.binary(.or, bits, word)
      }
      if lanes > 1 { bits = e.call("llvm.vector.reduce.or", [bits.type], [bits]) }
      all = e.builder.binary(.or, all, bits)
      first += lanes
    }
    return e.builder.binary(.and, all, e.int32(signs))
  }

  /// Whether a tile has inputs in a block of depth that are not zero.
  func isNeeded(tile: LLVMValue, depth: LLVMValue) -> LLVMValue {
    let mark = e.builder.load(e.i32, place(tile, e.div(depth, plan.blockLength)), align: 4)
    return e.builder.compare(.notEqual, mark, e.int32(0))
  }
}
