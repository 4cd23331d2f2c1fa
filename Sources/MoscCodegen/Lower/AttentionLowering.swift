import MoscIR
import MoscLLVM

private typealias AttentionKernel = MoscCodegen.Attention

/// Lowers a kernel that is one attention, with or without a cast of its result.
struct AttentionLowering {
  let spec: AttentionSpec
  /// The buffers of queries, keys and values.
  let operands: [LLVMValue]
  let output: LLVMValue

  /// - Returns: nil when an operand is computed or its tokens are not evenly spaced.
  init?(
    _ pull: PullEmitter, _ op: MoscIR.Attention, _ node: Node,
    _ result: (id: ValueID, pointer: LLVMValue)
  ) {
    let stored = pull.graph.type(result.id)
    let type = pull.graph.type(node.operands[0])
    let keys = pull.graph.type(node.operands[1])
    guard stored.shape == type.shape else { return nil }
    if result.id != node.results[0] {
      guard let producer = pull.graph.producer(result.id), case .cast = pull.graph[producer].op,
        pull.graph[producer].operands == node.results
      else { return nil }
    }
    let depth = type.shape[2] / op.heads
    var spec = AttentionSpec(
      dense: type.dtype, batch: type.shape[0], heads: op.heads, depth: depth,
      queryCount: type.shape[1], keyCount: keys.shape[1], isCausal: op.isCausal,
      output: stored.dtype)
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
    self.spec = spec
    operands = buffers
    output = result.pointer
  }

  func part(_ e: FunctionEmitter) -> KernelLowering.Part {
    KernelLowering.Part(taskCount: AttentionKernel.tasks(spec, e.target)) { task in
      try AttentionKernel.emit(
        e, spec, task: task, queries: operands[0], keys: operands[1], values: operands[2],
        output: output)
    }
  }
}
