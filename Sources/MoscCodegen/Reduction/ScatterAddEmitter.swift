import MoscIR
import MoscLLVM

/// Emits `scatter_add` as a whole result: a task owns a block of the table's rows, clears it, and
/// adds to it the rows that belong there in their order.
struct ScatterAddEmitter {
  let pull: PullEmitter
  let type: TensorType
  let count: Int
  let ids, rows: BufferView
  let result: LLVMValue

  /// The most tasks.
  static let mostTasks = 64

  init(_ pull: PullEmitter, _ op: ScatterAdd, _ node: Node, into result: LLVMValue) throws {
    let leading = pull.graph.type(node.operands[1]).shape
    let (count, width) = (leading.reduce(1, *), op.type.shape[1])
    let rows = pull.view(of: node.operands[0], counting: [count, width]) {
      $0.unravel($1[0], in: leading) + [$1[1]]
    }
    let ids = pull.view(of: node.operands[1], counting: [count]) {
      $0.unravel($1[0], in: leading)
    }
    guard let rows, let ids, rows.pitches[1] == 1 || width == 1 else {
      throw pull.failure("'scatter_add' needs rows and ids that are evenly spaced in memory")
    }
    self.pull = pull
    self.count = count
    (self.rows, self.ids) = (rows, ids)
    self.result = result
    type = op.type
  }

  private var rowsPerTask: Int { (type.shape[0] + Self.mostTasks - 1) / Self.mostTasks }

  var taskCount: Int { (type.shape[0] + rowsPerTask - 1) / rowsPerTask }

  func emit(task: LLVMValue) throws {
    let e = pull.e
    guard let source = pull.pointers[rows.parameter], let numbers = pull.pointers[ids.parameter]
    else { throw pull.failure("'scatter_add' without buffers") }
    let width = type.shape[1]
    let begin = e.mul(task, rowsPerTask)
    let end = e.min(e.add(begin, rowsPerTask), type.shape[0])
    e.loop(from: begin, to: end) { row, _ in
      vectors(width) { column, count in
        e.store(
          e.float(0, lanes: e.lanes), as: .f32,
          e.element(result, e.add(e.mul(row, width), column), .f32), count: count)
      }
      return []
    }
    e.loop(from: e.int(0), to: e.int(count)) { index, _ in
      let place = e.add(e.mul(index, ids.pitches[0]), ids.offset)
      let number = e.builder.load(e.i32, e.element(numbers, place, .i32), align: 4)
      let id = e.builder.cast(.sext, number, e.i64)
      let row = e.min(e.max(id, e.int(0)), type.shape[0] - 1)
      let isMine = e.builder.binary(
        .and, e.builder.compare(.greaterOrEqual, row, begin), e.builder.compare(.less, row, end))
      e.branch(if: isMine) {
        let start = e.add(e.mul(index, rows.pitches[0]), rows.offset)
        vectors(width) { column, count in
          let target = e.element(result, e.add(e.mul(row, width), column), .f32)
          let old = e.load(.f32, target, lanes: e.lanes, count: count)
          let added = e.load(
            .f32, e.element(source, e.add(start, column), .f32), lanes: e.lanes, count: count)
          e.store(e.fadd(old, added), as: .f32, target, count: count)
        }
        return []
      }
      return []
    }
  }

  /// Whole vectors of a row, then one partial vector.
  private func vectors(_ width: Int, _ body: (LLVMValue, Int) -> Void) {
    let e = pull.e
    let whole = width / e.lanes * e.lanes
    e.loop(from: 0, to: whole, step: e.lanes) { column, _ in
      body(column, e.lanes)
      return []
    }
    if whole < width { body(e.int(whole), width - whole) }
  }
}
