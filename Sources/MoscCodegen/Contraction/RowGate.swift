import MoscIR
import MoscLLVM

/// Numbers `[positions, slots]` f32 by which runs of a contraction's outputs are multiplied. A register tile
/// whose gates are all 0 is not computed.
///
/// Output row m is at position `m mod positions`, column c in slot `⌊c / run⌋`.
package struct RowGate {
  private let buffer: LLVMValue
  private let positions: Int
  private let slots: Int
  /// Columns of a slot.
  private let run: Int

  package init(_ buffer: LLVMValue, positions: Int, slots: Int, columns: Int) {
    (self.buffer, self.positions, self.slots) = (buffer, positions, slots)
    run = columns / slots
  }

  private func address(_ e: FunctionEmitter, _ row: LLVMValue, _ slot: LLVMValue) -> LLVMValue {
    e.element(buffer, e.add(e.mul(e.rem(row, positions), slots), slot), .f32)
  }

  /// Whether any gate of a tile is not 0; NaN is not.
  ///
  /// - Parameters:
  ///   - rows: The rows of the tile, of which those behind the last are as the last.
  ///   - last: The last row of all.
  func isOpen(
    _ e: FunctionEmitter, firstRow: LLVMValue, rows: Int, last: Int, firstColumn: LLVMValue, columns: Int
  ) -> LLVMValue {
    // A tile of whole slots, a part of one, or one that lies askew and may touch one more.
    let isWhole = columns % run == 0
    let count = isWhole ? columns / run : run % columns == 0 ? 1 : (columns - 1) / run + 2
    let first = e.div(firstColumn, run)
    let isTogether = positions % rows == 0 && (last + 1) % rows == 0
    var bits = e.int32(0)
    for row in 0..<rows {
      let place = isTogether ? firstRow : e.min(e.add(firstRow, row), last)
      for slot in 0..<min(count, slots) {
        let index = isWhole || count == 1 ? e.add(first, slot) : e.min(e.add(first, slot), slots - 1)
        let start = e.offset(
          address(e, place, index), bytes: isTogether ? row * slots * DType.f32.byteSize : 0)
        bits = e.builder.binary(.or, bits, e.builder.load(e.i32, start, align: 4))
      }
    }
    // Without the signs of zeros.
    let magnitude = e.builder.binary(.and, bits, e.int32(0x7fff_ffff))
    return e.builder.compare(.notEqual, magnitude, e.int32(0))
  }

  /// The gates of neighbouring columns of a row, the first of which begins a vector.
  func numbers(
    _ e: FunctionEmitter, row: LLVMValue, column: LLVMValue, count: Int
  ) -> LLVMValue {
    func gate(_ slot: LLVMValue) -> LLVMValue {
      e.builder.load(e.f32, address(e, row, slot), align: 4)
    }
    if run % e.lanes == 0 { return e.splat(gate(e.div(column, run)), e.lanes) }
    var result = e.float(0, lanes: e.lanes)
    for lane in 0..<count {
      result = e.builder.insert(result, gate(e.div(e.add(column, lane), run)), at: lane)
    }
    return result
  }
}
