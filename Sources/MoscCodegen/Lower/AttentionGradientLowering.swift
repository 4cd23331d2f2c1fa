import MoscIR
import MoscLLVM

typealias AttentionGradientKernel = MoscCodegen.AttentionGradient

/// Lowers a kernel that is one part of attention's backward pass.
struct AttentionGradientLowering {
  let pull: PullEmitter
  let spec: AttentionGradientSpec
  let buffers: AttentionGradientKernel.Buffers

  /// The sums of exponentials.
  init(
    _ pull: PullEmitter, _ op: AttentionStatistics, _ node: Node, into result: LLVMValue
  ) throws {
    var spec = Self.spec(pull, .statistics, node, heads: op.heads, isCausal: op.isCausal)
    let (queries, q) = try Self.tokens(pull, node.operands[0], spec.attention.depth)
    let (keys, k) = try Self.tokens(pull, node.operands[1], spec.attention.depth)
    (spec.attention.queries, spec.attention.keys) = (queries, keys)
    self.pull = pull
    self.spec = spec
    buffers = AttentionGradientKernel.Buffers(queries: q, keys: k, output: result)
  }

  /// One of the two gradients.
  init(
    _ pull: PullEmitter, _ op: MoscIR.AttentionGradient, _ node: Node, into result: LLVMValue
  ) throws {
    let part: AttentionGradientSpec.Part = op.part == .queries ? .queries : .keysAndValues
    var spec = Self.spec(pull, part, node, heads: op.heads, isCausal: op.isCausal)
    let depth = spec.attention.depth
    let (queries, q) = try Self.tokens(pull, node.operands[0], depth)
    let (keys, k) = try Self.tokens(pull, node.operands[1], depth)
    let (values, v) = try Self.tokens(pull, node.operands[2], depth)
    let (gradient, dy) = try Self.tokens(pull, node.operands[3], depth)
    let (statistics, l) = try Self.rows(pull, node.operands[4])
    let (products, d) = try Self.rows(pull, node.operands[5])
    (spec.attention.queries, spec.attention.keys) = (queries, keys)
    (spec.attention.values, spec.gradient) = (values, gradient)
    (spec.statistics, spec.products) = (statistics, products)
    self.pull = pull
    self.spec = spec
    buffers = AttentionGradientKernel.Buffers(
      queries: q, keys: k, values: v, gradient: dy, statistics: l, products: d, output: result)
  }

  private static func spec(
    _ pull: PullEmitter, _ part: AttentionGradientSpec.Part, _ node: Node, heads: Int,
    isCausal: Bool
  ) -> AttentionGradientSpec {
    let (q, k) = (pull.graph.type(node.operands[0]), pull.graph.type(node.operands[1]))
    return AttentionGradientSpec(
      part, dense: q.dtype, batch: q.shape[0], heads: heads, depth: q.shape[2] / heads,
      queryCount: q.shape[1], keyCount: k.shape[1], isCausal: isCausal)
  }

  private static func tokens(
    _ pull: PullEmitter, _ operand: ValueID, _ depth: Int
  ) throws -> (AttentionOperand, LLVMValue) {
    let type = pull.graph.type(operand)
    guard let view = pull.view(of: operand, counting: type.shape, { $1 }),
      view.pitches[2] == 1 || type.shape[2] == 1, let buffer = pull.pointers[view.parameter]
    else { throw pull.failure("attention gradients need operands whose tokens are evenly spaced") }
    let place = AttentionOperand(
      type.dtype, offset: view.offset, tokenPitch: view.pitches[1], batchPitch: view.pitches[0],
      headPitch: depth)
    return (place, buffer)
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
