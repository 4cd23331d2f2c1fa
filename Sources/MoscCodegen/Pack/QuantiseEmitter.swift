import MoscIR
import MoscLLVM

/// Emits `quantise`: a task rounds some rows, computing each number once and keeping it on the stack
/// until the largest magnitude is known.
struct QuantiseEmitter {
  private let pull: PullEmitter
  private let source: ValueID
  private let result: LLVMValue
  private let shape: [Int]

  init(_ pull: PullEmitter, _ node: Node, into result: LLVMValue) {
    self.pull = pull
    self.result = result
    source = node.operands[0]
    shape = pull.graph.type(source).shape
  }

  private var width: Int { shape[shape.count - 1] }
  private var rows: Int { shape.dropLast().reduce(1, *) }

  /// Rows of a task, so that a task has some thousand numbers.
  private var rowsPerTask: Int { max(1, min(rows / 16, 4096 / max(width, 1))) }

  var taskCount: Int { (rows + rowsPerTask - 1) / rowsPerTask }

  func emit(task: LLVMValue) throws {
    let e = pull.e
    guard width <= PullEmitter.longestKeptRow else {
      throw pull.failure("'quantise' of rows of \(width)")
    }
    let slot = e.stackSlot(bytes: (width + e.lanes) * 4)
    let first = e.mul(task, rowsPerTask)
    try e.loop(from: first, to: e.min(e.add(first, rowsPerTask), rows)) { row, _ in
      try pull.scoped { try emit(row: row, slot) }
      return []
    }
  }

  private func emit(row: LLVMValue, _ slot: LLVMValue) throws {
    let e = pull.e
    let outer = pull.space.unravel(pull.counter(row, extent: rows), in: Array(shape.dropLast()))
    let top = try pull.foldRow(width, .max) { column in
      let x = try pull.value(source, at: outer + [column])
      pull.keep(x, in: slot, column)
      return e.fabs(x)
    }
    let (factor, scale) = QuantisedRowCode(e).factors(top)
    let bytes = e.mul(row, width + QuantisedRow.scaleBytes)
    let target = e.offset(result, bytes: bytes)
    func round(_ first: LLVMValue, _ lanes: Int, count: Int) {
      let numbers = e.load(.f32, e.offset(slot, bytes: e.mul(first, 4)), lanes: lanes)
      let factors = lanes == 1 ? factor : e.splat(factor, lanes)
      e.store(e.fmul(numbers, factors), as: .q8, e.offset(target, bytes: first), count: count)
    }
    let whole = width / e.lanes * e.lanes
    e.loop(from: 0, to: whole, step: e.lanes) { first, _ in
      round(first, e.lanes, count: e.lanes)
      return []
    }
    if whole < width { round(e.int(whole), e.lanes, count: width - whole) }
    e.store(scale, as: .f32, e.offset(target, bytes: width), align: 1)
  }
}
