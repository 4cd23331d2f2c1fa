import MoscIR
import MoscLLVM

/// Writes the kernels of attention's backward pass: probabilities are computed anew in blocks that
/// stay in the cache (Dao et al. 2022, algorithm 4).
///
/// A task owns a block of tokens of one head, which lie in the vector lanes, and goes through the
/// tokens of the other side in blocks: `S = C·A`, `P = e^(S − L)`, `dP = D·B`, `dS = P (dP − D)`,
/// sums `Cᵀ·dS` and `Dᵀ·P`. With queries in the lanes A, B are q, dy and C, D are k, v; with keys
/// in the lanes the other way round. Every sum has one owner and a fixed order. Computed in f32.
package enum AttentionGradient {
  /// The buffers of a kernel; what a part does not read is nil.
  package struct Buffers {
    package var queries, keys: LLVMValue
    package var values, gradient, statistics, products: LLVMValue?
    package var output: LLVMValue

    package init(
      queries: LLVMValue, keys: LLVMValue, values: LLVMValue? = nil, gradient: LLVMValue? = nil,
      statistics: LLVMValue? = nil, products: LLVMValue? = nil, output: LLVMValue
    ) {
      (self.queries, self.keys, self.values) = (queries, keys, values)
      (self.gradient, self.statistics, self.products) = (gradient, statistics, products)
      self.output = output
    }
  }

  /// The number of independent tasks.
  package static func tasks(_ spec: AttentionGradientSpec, _ target: TargetFacts) -> Int {
    AttentionGradientPlan(spec, target).tasks
  }

  /// Writes the code of task `task` into the function being written.
  package static func emit(
    _ e: FunctionEmitter, _ spec: AttentionGradientSpec, task: LLVMValue, _ buffers: Buffers
  ) throws {
    try spec.attention.check()
    let plan = AttentionGradientPlan(spec, e.target)
    let head = e.div(task, plan.laneBlocks)
    let (image, h) = (e.div(head, spec.attention.heads), e.rem(head, spec.attention.heads))
    func start(_ base: LLVMValue, _ operand: AttentionOperand) -> LLVMValue {
      let index = e.add(
        e.add(e.mul(image, operand.batchPitch), e.mul(h, operand.headPitch)), operand.offset)
      return e.element(base, index, operand.dtype)
    }
    func start(_ base: LLVMValue, _ rows: AttentionGradientSpec.Rows) -> LLVMValue {
      let index = e.add(
        e.add(e.mul(image, rows.batchPitch), e.mul(h, rows.headPitch)), rows.offset)
      return e.element(base, index, .f32)
    }
    let shape = spec.attention
    var output = AttentionOperand(
      dense: .f32, tokens: plan.laneTokens, heads: shape.heads, depth: shape.depth)
    if spec.part == .statistics {
      output = AttentionOperand(
        .f32, tokenPitch: 1, batchPitch: shape.heads * shape.queryCount,
        headPitch: shape.queryCount)
    }
    let queries = AttentionTokens(start(buffers.queries, shape.queries), shape.queries)
    let keys = AttentionTokens(start(buffers.keys, shape.keys), shape.keys)
    let values = buffers.values.map { AttentionTokens(start($0, shape.values), shape.values) }
    let gradient = buffers.gradient.map {
      AttentionTokens(start($0, spec.gradient), spec.gradient)
    }
    let isByKeys = plan.hasKeysInLanes
    let writer = AttentionGradientWriter(
      e, plan, lanesFirst: isByKeys ? keys : queries, lanesSecond: isByKeys ? values : gradient,
      rowsFirst: isByKeys ? queries : keys, rowsSecond: isByKeys ? gradient : values,
      statistics: buffers.statistics.map { start($0, spec.statistics) },
      products: buffers.products.map { start($0, spec.products) },
      output: AttentionTokens(start(buffers.output, output), output))
    writer.write(block: e.rem(task, plan.laneBlocks))
  }
}

/// The tokens of one head of an operand.
struct AttentionTokens {
  let base: LLVMValue
  let place: AttentionOperand

  init(_ base: LLVMValue, _ place: AttentionOperand) {
    self.base = base
    self.place = place
  }

  /// The first element of a token, tokens past the end repeating the last one.
  func token(_ e: FunctionEmitter, _ index: LLVMValue, of count: Int) -> LLVMValue {
    e.element(base, e.mul(e.min(index, count - 1), place.tokenPitch), place.dtype)
  }
}
