/// The statistics of a group normalisation as one affine map per sample and channel:
/// `a = scale · rstd_g`, `b = shift − mean_g · a`, so that `group_norm(x) = a · x + b`.
///
/// - Shapes: x `[n, …, c]`, scale and shift `[c]` → `[2, n, c]` (row 0 is a, row 1 is b).
/// - Types: f32; means and variances of each group from f32 partial sums over a fixed partition.
/// - Errors: `group-affine.groups` when the groups do not divide the channels.
/// - Gradient: with `da′ = da − mean_g · db`: `dscale = Σ da′ r`, `dshift = Σ db`,
///   `dx = −(Σ_g db · a + r x̂ · r Σ_g da′ · scale) / N` for the N elements of a group.
package struct GroupAffine: GroupStatisticsOp, KernelOp {
  package static let mnemonic = "group_affine"
  package static let traits: Traits = .reduction
  package static let repetition = Repetition.cheap
  package static let kernelKind = KernelKind.reduction
  package var groups: Int
  package var eps: Double

  package init(groups: Int, eps: Double) {
    self.groups = groups
    self.eps = eps
  }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    // An element reads a whole group; so much only in loop nests, which few shapes come to.
    OpCost(flops: results[0].count, time: operands[0].count / 8)
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    try checkOperands(operands)
    return [TensorType(.f32, [2, operands[0].shape[0], operands[0].lastExtent])]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    [HostTensor(types[0], statistics(operands))]
  }

  /// The elements of the result before rounding.
  func statistics(_ operands: [HostTensor]) -> [Double] {
    let x = operands[0]
    let (samples, channels) = (x.type.shape[0], x.type.lastExtent)
    let pixels = x.type.count / (samples * channels)
    let width = channels / groups
    var result = [Double](repeating: 0, count: 2 * samples * channels)
    for n in 0..<samples {
      for g in 0..<groups {
        func mean(_ f: (Double) -> Double) -> Double {
          var total = 0.0
          for p in 0..<pixels {
            for c in g * width..<(g + 1) * width {
              total += f(x.elements[(n * pixels + p) * channels + c])
            }
          }
          return total / Double(pixels * width)
        }
        let average = mean { $0 }
        let variance = mean { ($0 - average) * ($0 - average) }
        let inverse = 1 / (variance + eps).squareRoot()
        for c in g * width..<(g + 1) * width {
          let a = operands[1].elements[c] * inverse
          result[n * channels + c] = a
          result[(samples + n) * channels + c] = operands[2].elements[c] - average * a
        }
      }
    }
    return result
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    let (x, scale) = (site.operands[0], site.operands[1])
    let type = graph.type(x)
    let statistics = try NormalisedGroups(x, groups: groups, eps: eps, in: &graph)
    var shape = [Int](repeating: 1, count: type.rank)
    (shape[0], shape[type.rank - 1]) = (type.shape[0], type.lastExtent)
    func row(_ value: ValueID, _ index: Int, _ graph: inout Graph) throws(Diagnostic) -> ValueID {
      try graph.reshape(
        try graph.slice(value, axis: 0, from: index, to: index + 1), to: shape)
    }
    let dshift = try row(site.gradient, 1, &graph)
    // b = shift − mean · a, and −mean · r is what the statistics have; dr is da′ · scale.
    let moved = try graph.mul(dshift, try graph.div(statistics.offset, statistics.inverse))
    let da = try graph.add(try row(site.gradient, 0, &graph), moved)
    return try site.each { (operand, _) throws(Diagnostic) -> ValueID? in
      switch operand {
      case 0:
        let slope = try statistics.groupMean(da, weight: scale, in: &graph)
        let level = try graph.mul(
          statistics.inverse, try statistics.groupMean(dshift, weight: scale, in: &graph))
        let square = try graph.mul(statistics.inverse, statistics.inverse)
        let normal = try statistics.normalised(x, in: &graph)
        let tilt = try graph.mul(try graph.mul(square, slope), normal)
        return try graph.neg(try graph.add(tilt, level))
      case 1: return try graph.columnSums(try graph.mul(da, statistics.inverse))
      default: return try graph.columnSums(dshift)
      }
    }
  }
}

extension Graph {
  /// Appends `group_affine`.
  package mutating func groupAffine(
    _ x: ValueID, scale: ValueID, shift: ValueID, groups: Int, eps: Double, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.groupAffine(GroupAffine(groups: groups, eps: eps)), [x, scale, shift], name: name)
  }
}
