import MoscIR
import MoscLLVM

/// Lowers a kernel around one regional attention: for its rows, a task attends to each context
/// that covers any of them and adds the answers, weighted by the coverage.
struct RegionalAttentionLowering {
  private let pull: PullEmitter
  private let node: Node
  private let result: (id: ValueID, pointer: LLVMValue)
  /// Attention to one context.
  private let spec: AttentionSpec
  private let contexts: Int
  /// Elements from one context of an image to the next, in keys and in values.
  private let contextPitch: (keys: Int, values: Int)
  private let coverage: (buffer: LLVMValue, offset: Int, pitch: Int)
  /// The buffers of queries, keys and values.
  private let operands: [LLVMValue]

  /// - Returns: nil when an operand is computed or its tokens are not evenly spaced.
  /// - Throws: when no blocks are decided.
  init?(
    _ pull: PullEmitter, _ op: RegionalAttention, _ node: Node,
    _ result: (id: ValueID, pointer: LLVMValue)
  ) throws {
    let shape = pull.graph.type(node.operands[1]).shape
    let type = pull.graph.type(node.operands[0])
    let depth = shape[3] / op.heads
    var spec = AttentionSpec(
      queries: type.shape, keys: shape[2], heads: op.heads, dtype: type.dtype,
      blocks: try pull.decided(op.blocks, node))
    var views: [BufferView] = []
    for operand in node.operands {
      guard
        let view = pull.view(of: operand, counting: pull.graph.type(operand).shape, { $1 }),
        view.pitches.last == 1 || pull.graph.type(operand).lastExtent == 1
      else { return nil }
      views.append(view)
    }
    let buffers = views.compactMap { pull.pointers[$0.parameter] }
    guard buffers.count == views.count else { return nil }
    func place(_ view: BufferView, token: Int) -> AttentionOperand {
      AttentionOperand(
        type.dtype, offset: view.offset, tokenPitch: view.pitches[token],
        batchPitch: view.pitches[0], headPitch: depth)
    }
    spec.queries = place(views[0], token: 1)
    spec.keys = place(views[1], token: 2)
    spec.values = place(views[2], token: 2)
    spec.output = AttentionOperand(.f32, tokenPitch: depth, batchPitch: 0, headPitch: 0)
    self.spec = spec
    contexts = shape[1]
    contextPitch = (views[1].pitches[1], views[2].pitches[1])
    coverage = (buffers[3], views[3].offset, views[3].pitches[0])
    operands = Array(buffers[..<3])
    self.pull = pull
    self.node = node
    self.result = result
  }

  func part() -> KernelLowering.Part {
    KernelLowering.Part(taskCount: AttentionKernel.tasks(spec, pull.e.target), emit: emit)
  }

  private func emit(task: LLVMValue) throws {
    let e = pull.e
    let plan = AttentionPlan(spec, e.target)
    let rowsPerTask = plan.group * plan.queryBlock
    let bytes = rowsPerTask * spec.depth * 4 + e.lanes * 4
    let (sums, answer) = (e.stackSlot(bytes: bytes), e.stackSlot(bytes: bytes))
    let firstRow = e.mul(e.rem(task, plan.groups), rowsPerTask)
    let count = e.min(e.sub(e.int(spec.queryCount), firstRow), rowsPerTask)
    let columns = stride(from: 0, to: spec.depth, by: e.lanes).map {
      (start: $0, width: min(e.lanes, spec.depth - $0))
    }
    func line(_ base: LLVMValue, _ row: LLVMValue, _ column: Int) -> LLVMValue {
      e.offset(base, bytes: e.add(e.mul(row, spec.depth * 4), column * 4))
    }
    e.loop(from: e.int(0), to: count) { row, _ in
      for column in columns {
        let lanes = pull.lanesFor(column.width)
        e.store(
          e.float(0, lanes: lanes), as: .f32, line(sums, row, column.start), count: column.width)
      }
      return []
    }
    // The kernel numbers rows from the start of the sample, scratch from the start of the task.
    let output = e.offset(answer, bytes: e.mul(firstRow, -spec.depth * 4))
    try e.loop(from: e.int(0), to: e.int(contexts)) { context, _ in
      let shares = e.element(
        coverage.buffer,
        e.add(e.add(e.mul(context, coverage.pitch), coverage.offset), firstRow), .f32)
      let covered = e.loop(
        from: e.int(0), to: count, step: 1, carrying: [e.float(0, lanes: 1)]
      ) { row, most in
        let share = e.load(.f32, e.element(shares, row, .f32), lanes: 1)
        return [e.fmax(most[0], e.fabs(share))]
      }
      let isCovered = e.builder.compareFloats(.greater, covered[0], e.float(0, lanes: 1))
      try e.branch(if: isCovered) {
        try AttentionKernel.emit(
          e, spec, task: task, queries: operands[0],
          keys: e.element(operands[1], e.mul(context, contextPitch.keys), spec.keys.dtype),
          values: e.element(operands[2], e.mul(context, contextPitch.values), spec.values.dtype),
          output: output)
        e.loop(from: e.int(0), to: count) { row, _ in
          let share = e.load(.f32, e.element(shares, row, .f32), lanes: 1)
          for column in columns {
            let lanes = pull.lanesFor(column.width)
            let place = line(sums, row, column.start)
            let value = e.load(
              .f32, line(answer, row, column.start), lanes: lanes, count: column.width)
            let sum = e.load(.f32, place, lanes: lanes, count: column.width)
            let weight = lanes == 1 ? share : e.splat(share, lanes)
            e.store(e.fma(weight, value, sum), as: .f32, place, count: column.width)
          }
          return []
        }
        return []
      }
      return []
    }
    let head = e.div(task, plan.groups)
    let sampleRow = e.add(e.mul(e.div(head, spec.heads), spec.queryCount), firstRow)
    let firstColumn = e.mul(e.rem(head, spec.heads), spec.depth)
    let epilogue = Epilogue(pull: pull, anchor: node, result: result)
    try e.loop(from: e.int(0), to: count) { row, _ in
      for column in columns {
        let value = e.load(
          .f32, line(sums, row, column.start), lanes: pull.lanesFor(column.width),
          count: column.width)
        try epilogue.emit(
          value, row: e.add(sampleRow, row), column: e.add(firstColumn, column.start),
          column.width)
      }
      return []
    }
  }
}
