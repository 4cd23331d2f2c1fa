/// A low-rank adapter branch beside a layer: `y = base + scale · up(down(input))`, where base is
/// the output of a linear or convolution layer of the same input.
///
/// - Shapes: linear: input `[…, i]`, down `[k, i]`, up `[o, k]`, base `[…, o]`; convolution: input
///   `[n,h,w,i]`, down `[k,i,kh,kw]` with the layer's stride and pad, up `[o,k,1,1]`, base
///   `[n,p,q,o]`; scale `[1]` is the final multiplier (strength · alpha / rank).
/// - Types: f32.
/// - Source: Hu et al. 2021, eq. 3.
/// - Gradient: `dbase = dy`; with `mid = down(input)`: `dmid = s · upᵀ(dy)`, and from it the input
///   and down as for their layer; `dup = s · dyᵀ · mid`, `ds = Σ dy · up(mid)`.
package struct Lora: CompositeOp, KernelOp {
  package static let mnemonic = "lora"
  package static let signature = Signature([nil, "input", "down", "up", "scale"])
  package static let traits: Traits = .composite
  package static let kernelKind = KernelKind.single
  package var stride: Int
  package var pad: Int

  package init(stride: Int = 1, pad: Int = 0) {
    self.stride = stride
    self.pad = pad
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    stride = try reader.optionalInt("stride") ?? 1
    pad = try reader.optionalInt("pad") ?? 0
  }

  package var attributes: [LabeledAttribute] {
    (stride == 1 ? [] : [LabeledAttribute("stride", .int(stride))])
      + (pad == 0 ? [] : [LabeledAttribute("pad", .int(pad))])
  }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: results[0].count)
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let (base, input, down, up) = (operands[0], operands[1], operands[2], operands[3])
    for type in operands where type.dtype != .f32 {
      throw error("dtype", "expected f32 operands, found \(type)")
    }
    try expectShape(operands[4], [1], "a scale")
    let branch: TensorType
    if down.rank == 2 {
      let middle = try Linear().inferTypes([input, down])[0]
      branch = try Linear().inferTypes([middle, up])[0]
    } else {
      let middle = try Conv2d(stride: stride, pad: pad).inferTypes([input, down])[0]
      branch = try Conv2d().inferTypes([middle, up])[0]
    }
    try expectShape(branch, base.shape, "an adapter branch")
    return [base]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let (input, down, up) = (operands[1], operands[2], operands[3])
    func layer(_ x: HostTensor, _ w: HostTensor, _ op: any TensorOp) throws(OpError) -> HostTensor {
      let types = try op.inferTypes([x.type, w.type])
      return try op.evaluate([x, w], types, environment)[0]
    }
    let isLinear = down.type.rank == 2
    let middle = try layer(
      input, down, isLinear ? Linear() : Conv2d(stride: stride, pad: pad))
    let branch = try layer(middle, up, isLinear ? Linear() : Conv2d())
    let scale = operands[4].elements[0]
    return [
      HostTensor(types[0], zip(operands[0].elements, branch.elements).map { $0 + scale * $1 })
    ]
  }

  package func decompose(
    _ operands: [ValueID], in graph: inout Graph
  ) throws(Diagnostic) -> [ValueID] {
    let (base, input, down, up) = (operands[0], operands[1], operands[2], operands[3])
    let isLinear = graph.type(down).rank == 2
    let middle =
      isLinear
      ? try graph.linear(input, weight: down)
      : try graph.conv2d(input, weight: down, stride: stride, pad: pad)
    let branch =
      isLinear ? try graph.linear(middle, weight: up) : try graph.conv2d(middle, weight: up)
    let ones = [Int](repeating: 1, count: graph.type(base).rank)
    let scale = try graph.reshape(operands[4], to: ones)
    return [try graph.add(base, try graph.mul(branch, scale))]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    // The rank is small, so the scale goes to the narrow side: up′ = s · up.
    let (base, input, down, up) = (
      site.operands[0], site.operands[1], site.operands[2], site.operands[3]
    )
    var result: [ValueID?] = [site.needs[0] ? site.gradient : nil, nil, nil, nil, nil]
    guard site.needs.dropFirst().contains(true) else { return .values(result) }
    let ones = [Int](repeating: 1, count: graph.type(up).rank)
    let scale = try graph.reshape(site.operands[4], to: ones)
    let scaledUp = try graph.mul(up, scale)
    let isLinear = graph.type(down).rank == 2
    let first: any TensorOp = isLinear ? Linear() : Conv2d(stride: stride, pad: pad)
    let second: any TensorOp = isLinear ? Linear() : Conv2d()
    let middle =
      isLinear
      ? try graph.linear(input, weight: down)
      : try graph.conv2d(input, weight: down, stride: stride, pad: pad)
    let needsMiddle = site.needs[1] || site.needs[2]
    let upper = GradientSite(
      operands: [middle, scaledUp], result: base, gradient: site.gradient,
      needs: [needsMiddle, site.needs[3] || site.needs[4]])
    guard case .values(let outer) = try second.gradient(upper, in: &graph) else {
      return .values(result)
    }
    if let dmiddle = outer[0] {
      let lower = GradientSite(
        operands: [input, down], result: middle, gradient: dmiddle,
        needs: [site.needs[1], site.needs[2]])
      if case .values(let inner) = try first.gradient(lower, in: &graph) {
        (result[1], result[2]) = (inner[0], inner[1])
      }
    }
    if let dup = outer[1] {
      if site.needs[3] { result[3] = try graph.mul(dup, scale) }
      if site.needs[4] {
        let products = try graph.mul(dup, up)
        let sum = try graph.reduceSum(products, axes: Array(graph.type(up).shape.indices))
        result[4] = try graph.reshape(sum, to: [1])
      }
    }
    return .values(result)
  }
}

extension Graph {
  /// Appends `lora`.
  package mutating func lora(
    _ base: ValueID, input: ValueID, down: ValueID, up: ValueID, scale: ValueID, stride: Int = 1,
    pad: Int = 0, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(
      .lora(Lora(stride: stride, pad: pad)), [base, input, down, up, scale], name: name)
  }
}
