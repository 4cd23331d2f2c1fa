import MoscIR
import MoscLLVM

/// Writes the kernels of attention's backward pass: probabilities are computed anew in blocks that
/// stay in the cache (Dao et al. 2022, algorithm 4).
///
/// A task owns a head. Keys lie in the vector lanes; a group of their blocks shares a pass over
/// the queries, which computes `S = Q·Kᵀ`, `P = e^(S − L)`, `dP = dY·Vᵀ`, `dS = P (dP − D)` and
/// sums `dK = dSᵀ·Q`, `dV = Pᵀ·dY` for the group and `dQ = dS·K` for the block of queries, which
/// the groups add to in order. Exponentials and sums in f32; bf16 operands multiply in pairs, with
/// P and dS rounded to bf16.
package enum AttentionGradientKernel {
  /// The buffers of a kernel.
  struct Buffers {
    let queries, keys, values, gradient, statistics, products, output: LLVMValue
  }

  /// The number of independent tasks.
  package static func tasks(_ spec: AttentionGradientSpec, _ target: TargetFacts) -> Int {
    AttentionGradientPlan(spec, target).tasks
  }

  /// Writes the code of task `task` into the function being written.
  static func emit(
    _ e: FunctionEmitter, _ spec: AttentionGradientSpec, task: LLVMValue, _ buffers: Buffers
  ) throws {
    let shape = spec.attention
    try spec.check(e.target)
    let plan = AttentionGradientPlan(spec, e.target)
    let (image, head) = (e.div(task, shape.heads), e.rem(task, shape.heads))
    func tokens(_ base: LLVMValue, _ place: AttentionOperand, _ count: Int) -> AttentionTokens {
      AttentionTokens(e, base, place, count: count, image: image, head: head)
    }
    func rows(_ base: LLVMValue, _ rows: AttentionGradientSpec.Rows) -> LLVMValue {
      let index = e.add(
        e.add(e.mul(image, rows.batchPitch), e.mul(head, rows.headPitch)), rows.offset)
      return e.element(base, index, .f32)
    }
    func output(after token: Int, _ count: Int) -> AttentionTokens {
      var place = shape.output
      place.offset += token * place.tokenPitch
      return tokens(buffers.output, place, count)
    }
    let operands = AttentionGradientOperands(
      queries: tokens(buffers.queries, shape.queries, shape.queryCount),
      keys: tokens(buffers.keys, shape.keys, shape.keyCount),
      values: tokens(buffers.values, shape.values, shape.keyCount),
      gradient: tokens(buffers.gradient, spec.gradient, shape.queryCount),
      statistics: rows(buffers.statistics, spec.statistics),
      products: rows(buffers.products, spec.products),
      byQueries: output(after: 0, shape.queryCount),
      byKeys: output(after: shape.queryCount, shape.keyCount),
      byValues: output(after: shape.queryCount + shape.keyCount, shape.keyCount))
    AttentionGradientEmitter(e, plan, operands).write()
  }
}
