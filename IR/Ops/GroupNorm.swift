/// Group normalisation over channels: `y = scale · (x − mean_g) / √(var_g + eps) + shift`, biased
/// variance per sample and group.
///
/// - Shapes: x `[n, …, c]`, scale and shift `[c]` → as x; `groups` divides c.
/// - Types: f32.
/// - Errors: `group-norm.groups`, `group-norm.channels`, `group-norm.rank`.
/// - Source: Wu & He 2018, eq. 1–3.
/// - Gradient: `dx = r (g − mean_g g − x̂ · mean_g(g x̂))` with `g = scale · dy`, `x̂` the
///   normalised x and r its inverse deviation; `dscale = Σ dy x̂`, `dshift = Σ dy`.
package struct GroupNorm: GroupStatisticsOp, CompositeOp, KernelOp {
  package static let mnemonic = "group_norm"
  package static let traits: Traits = [.reduction, .composite]
  package static let kernelKind = KernelKind.reduction
  package var groups: Int
  package var eps: Double

  package init(groups: Int, eps: Double) {
    self.groups = groups
    self.eps = eps
  }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: results[0].count)
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    try checkOperands(operands)
    return [operands[0]]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let x = operands[0]
    let (samples, channels) = (x.type.shape[0], x.type.lastExtent)
    let pixels = x.type.count / (samples * channels)
    let statistics = GroupAffine(groups: groups, eps: eps).statistics(operands)
    var result = x.elements
    for i in result.indices {
      let position = i / (pixels * channels) * channels + i % channels
      result[i] = result[i] * statistics[position] + statistics[samples * channels + position]
    }
    return [HostTensor(types[0], result)]
  }

  package func decompose(
    _ operands: [ValueID], in graph: inout Graph
  ) throws(Diagnostic) -> [ValueID] {
    let type = graph.type(operands[0])
    let affine = try graph.groupAffine(
      operands[0], scale: operands[1], shift: operands[2], groups: groups, eps: eps)
    var shape = [Int](repeating: 1, count: type.rank)
    shape[0] = type.shape[0]
    shape[type.rank - 1] = type.lastExtent
    let a = try graph.reshape(try graph.slice(affine, axis: 0, from: 0, to: 1), to: shape)
    let b = try graph.reshape(try graph.slice(affine, axis: 0, from: 1, to: 2), to: shape)
    return [try graph.add(try graph.mul(operands[0], a), b)]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    let (x, dy) = (site.operands[0], site.gradient)
    let statistics = try NormalisedGroups(x, groups: groups, eps: eps, in: &graph)
    let normal = try statistics.normalised(x, in: &graph)
    let sums = try statistics.sum(dy, in: &graph)
    let products = try statistics.sum(try graph.mul(dy, normal), in: &graph)
    return try site.each { (operand, _) throws(Diagnostic) -> ValueID? in
      switch operand {
      case 0:
        let scale = site.operands[1]
        let g = try graph.mul(dy, try statistics.channels(scale, in: &graph))
        let mean = try statistics.groupMean(sums, weight: scale, in: &graph)
        let slope = try statistics.groupMean(products, weight: scale, in: &graph)
        let rest = try graph.sub(g, mean)
        let inner = try graph.sub(rest, try graph.mul(normal, slope))
        return try graph.mul(statistics.inverse, inner)
      case 1: return try graph.columnSums(products)
      default: return try graph.columnSums(sums)
      }
    }
  }
}

extension Graph {
  /// Appends `group_norm`.
  package mutating func groupNorm(
    _ x: ValueID, scale: ValueID, shift: ValueID, groups: Int, eps: Double, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.groupNorm(GroupNorm(groups: groups, eps: eps)), [x, scale, shift], name: name)
  }
}
