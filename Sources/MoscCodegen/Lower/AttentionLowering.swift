import MoscIR
import MoscLLVM

/// Lowers a kernel around one attention. A result that is only rounded is stored by the attention
/// itself; with other ops after it, a task's rows stay on the stack until these are evaluated.
struct AttentionLowering {
  let pull: PullEmitter
  let node: Node
  let result: (id: ValueID, pointer: LLVMValue)
  /// Whether nothing but a cast follows.
  let isPlain: Bool
  let spec: AttentionSpec
  /// The buffers of queries, keys and values.
  let operands: [LLVMValue]

  /// - Returns: nil when an operand is computed or its tokens are not evenly spaced.
  /// - Throws: when no blocks are decided.
  init?(
    _ pull: PullEmitter, _ op: Attention, _ node: Node,
    _ result: (id: ValueID, pointer: LLVMValue)
  ) throws {
    let stored = pull.graph.type(result.id)
    let type = pull.graph.type(node.operands[0])
    let keys = pull.graph.type(node.operands[1])
    if result.id == node.results[0] {
      isPlain = true
    } else if let producer = pull.graph.producer(result.id), case .cast = pull.graph[producer].op,
      stored.dtype.isFloat
    {
      isPlain = pull.graph[producer].operands == node.results
    } else {
      isPlain = false
    }
    let depth = type.shape[2] / op.heads
    var spec = AttentionSpec(
      queries: type.shape, keys: keys.shape[1], heads: op.heads, dtype: type.dtype,
      isCausal: op.isCausal, output: isPlain ? stored.dtype : .f32,
      blocks: try pull.decided(op.blocks, node))
    var buffers: [LLVMValue] = []
    for (index, operand) in node.operands.enumerated() {
      let shape = pull.graph.type(operand).shape
      guard let view = pull.view(of: operand, counting: shape, { $1 }),
        view.pitches[2] == 1 || shape[2] == 1, let buffer = pull.pointers[view.parameter]
      else { return nil }
      let place = AttentionOperand(
        type.dtype, offset: view.offset, tokenPitch: view.pitches[1],
        batchPitch: view.pitches[0], headPitch: depth)
      switch index {
      case 0: spec.queries = place
      case 1: spec.keys = place
      default: spec.values = place
      }
      buffers.append(buffer)
    }
    if !isPlain {
      spec.output = AttentionOperand(.f32, tokenPitch: depth, batchPitch: 0, headPitch: 0)
    }
    self.spec = spec
    self.pull = pull
    self.node = node
    self.result = result
    operands = buffers
  }

  func part() -> KernelLowering.Part {
    KernelLowering.Part(taskCount: AttentionKernel.tasks(spec, pull.e.target)) { task in
      isPlain ? try attend(task, into: result.pointer) : try attendWithEpilogue(task)
    }
  }

  private func attend(_ task: LLVMValue, into output: LLVMValue) throws {
    try AttentionKernel.emit(
      pull.e, spec, task: task, queries: operands[0], keys: operands[1], values: operands[2],
      output: output)
  }

  /// Attends into stack memory, then evaluates the ops that follow row by row.
  private func attendWithEpilogue(_ task: LLVMValue) throws {
    let e = pull.e
    let plan = AttentionPlan(spec, e.target)
    let rowsPerTask = plan.group * plan.queryBlock
    let scratch = e.stackSlot(bytes: rowsPerTask * spec.depth * 4 + e.lanes * 4)
    let firstRow = e.mul(e.rem(task, plan.groups), rowsPerTask)
    let head = e.div(task, plan.groups)
    // Tokens are numbered from the start of the sample, scratch rows from the start of the task.
    let start = e.mul(firstRow, -spec.depth * 4)
    try attend(task, into: e.offset(scratch, bytes: start))
    let sampleRow = e.add(e.mul(e.div(head, spec.heads), spec.queryCount), firstRow)
    let firstColumn = e.mul(e.rem(head, spec.heads), spec.depth)
    let count = e.min(e.sub(e.int(spec.queryCount), firstRow), rowsPerTask)
    let epilogue = Epilogue(pull: pull, anchor: node, result: result)
    try e.loop(from: e.int(0), to: count) { row, _ in
      let line = e.offset(scratch, bytes: e.mul(row, spec.depth * 4))
      for channel in stride(from: 0, to: spec.depth, by: e.lanes) {
        let width = min(e.lanes, spec.depth - channel)
        let value = e.load(
          .f32, e.offset(line, bytes: channel * 4), lanes: pull.lanesFor(width), count: width)
        try epilogue.emit(
          value, row: e.add(sampleRow, row), column: e.add(firstColumn, channel), width)
      }
      return []
    }
  }
}

extension PullEmitter {
  /// The blocks of an op of attention.
  func decided(_ blocks: AttentionBlocks?, _ node: Node) throws -> AttentionBlocks {
    guard let blocks else {
      throw failure("'\(node.op.mnemonic)' has no blocks; 'choose-kernels' decides them")
    }
    return blocks
  }
}
