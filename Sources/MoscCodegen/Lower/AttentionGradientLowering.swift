import MoscIR
import MoscLLVM

/// Lowers a kernel that is attention's backward pass.
struct AttentionGradientLowering {
  let pull: PullEmitter
  let spec: AttentionGradientSpec
  let buffers: AttentionGradientKernel.Buffers

  init(
    _ pull: PullEmitter, _ op: AttentionGradient, _ node: Node, into result: LLVMValue
  ) throws {
    let (q, k) = (pull.graph.type(node.operands[0]), pull.graph.type(node.operands[1]))
    let depth = q.shape[2] / op.heads
    var spec = AttentionGradientSpec(
      queries: q.shape, keys: k.shape[1], heads: op.heads, dtype: q.dtype, isCausal: op.isCausal,
      blocks: try pull.decided(op.blocks, node))
    let queries = try pull.attentionTokens(node.operands[0], depth: depth)
    let keys = try pull.attentionTokens(node.operands[1], depth: depth)
    let values = try pull.attentionTokens(node.operands[2], depth: depth)
    let gradient = try pull.attentionTokens(node.operands[3], depth: depth)
    let (statistics, l) = try Self.rows(pull, node.operands[4])
    let (products, d) = try Self.rows(pull, node.operands[5])
    spec.attention.queries = queries.place
    spec.attention.keys = keys.place
    spec.attention.values = values.place
    spec.gradient = gradient.place
    (spec.statistics, spec.products) = (statistics, products)
    self.pull = pull
    self.spec = spec
    buffers = AttentionGradientKernel.Buffers(
      queries: queries.buffer, keys: keys.buffer, values: values.buffer,
      gradient: gradient.buffer, statistics: l, products: d, output: result)
  }

  private static func rows(
    _ pull: PullEmitter, _ operand: ValueID
  ) throws -> (AttentionGradientSpec.Rows, LLVMValue) {
    let type = pull.graph.type(operand)
    guard let view = pull.view(of: operand, counting: type.shape, { $1 }),
      let buffer = pull.pointers[view.parameter]
    else { throw pull.failure("attention gradients need row numbers that are evenly spaced") }
    let rows = AttentionGradientSpec.Rows(
      offset: view.offset, batchPitch: view.pitches[0], headPitch: view.pitches[1],
      tokenPitch: view.pitches[2])
    return (rows, buffer)
  }

  func part() -> KernelLowering.Part {
    KernelLowering.Part(taskCount: AttentionGradientKernel.tasks(spec, pull.e.target)) { task in
      try AttentionGradientKernel.emit(pull.e, spec, task: task, buffers)
    }
  }
}

/// Lowers a kernel that is the sums of exponentials of attention.
struct AttentionStatisticsLowering {
  let pull: PullEmitter
  let spec: AttentionSpec
  let queries, keys, result: LLVMValue

  init(
    _ pull: PullEmitter, _ op: AttentionStatistics, _ node: Node, into result: LLVMValue
  ) throws {
    let (q, k) = (pull.graph.type(node.operands[0]), pull.graph.type(node.operands[1]))
    let depth = q.shape[2] / op.heads
    var spec = AttentionSpec(
      queries: q.shape, keys: k.shape[1], heads: op.heads, dtype: q.dtype, isCausal: op.isCausal,
      blocks: try pull.decided(op.blocks, node))
    spec.output = AttentionOperand(
      .f32, tokenPitch: 1, batchPitch: op.heads * q.shape[1], headPitch: q.shape[1])
    let queries = try pull.attentionTokens(node.operands[0], depth: depth)
    let keys = try pull.attentionTokens(node.operands[1], depth: depth)
    (spec.queries, spec.keys) = (queries.place, keys.place)
    self.pull = pull
    self.spec = spec
    (self.queries, self.keys, self.result) = (queries.buffer, keys.buffer, result)
  }

  func part() -> KernelLowering.Part {
    KernelLowering.Part(taskCount: AttentionKernel.tasks(spec, pull.e.target)) { task in
      try AttentionKernel.emit(
        pull.e, spec, task: task, queries: queries, keys: keys, values: nil, output: result)
    }
  }
}

extension PullEmitter {
  /// Where the tokens of an operand of attention's backward pass lie, and their buffer.
  fileprivate func attentionTokens(
    _ operand: ValueID, depth: Int
  ) throws -> (place: AttentionOperand, buffer: LLVMValue) {
    let type = graph.type(operand)
    guard let view = view(of: operand, counting: type.shape, { $1 }),
      view.pitches[2] == 1 || type.shape[2] == 1, let buffer = pointers[view.parameter]
    else { throw failure("attention gradients need operands whose tokens are evenly spaced") }
    let place = AttentionOperand(
      type.dtype, offset: view.offset, tokenPitch: view.pitches[1], batchPitch: view.pitches[0],
      headPitch: depth)
    return (place, buffer)
  }
}
